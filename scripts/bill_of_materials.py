"""The bill of materials of a kit, as CycloneDX: every package with its version, licence, hash and needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHON_PACKAGES = "pypi"
"""The package URL standard's word for the kind of package; it names no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One package as its wheel describes it; `requires` as in its metadata."""

    name: str
    version: str
    summary: str
    licence: str
    requires: tuple[str, ...]
    file: str
    sha256: str


def bill_of_materials(name: str, version: str, parts: Sequence[Part]) -> str:
    """CycloneDX 1.6 in JSON, the same for the same parts: no time, and a serial number that follows."""
    components = {str(canonicalize_name(part.name)): _component(part) for part in parts}
    root = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    together = "\n".join(part.sha256 for part in parts)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{name} {version}\n{together}"),
        components=components.values(),
        metadata=BomMetaData(component=root),
    )
    bom.metadata.timestamp = None  # type: ignore[assignment] # optional in CycloneDX
    bom.register_dependency(root, [components["fedstats"]])
    for part in parts:
        needed = [components[each] for each in _needed(part.requires) if each in components]
        bom.register_dependency(components[canonicalize_name(part.name)], needed)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _component(part: Part) -> Component:
    url = PackageURL(PYTHON_PACKAGES, name=canonicalize_name(part.name), version=part.version)
    licences = [LicenseFactory().make_from_string(part.licence)] if part.licence else []
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        description=part.summary,
        licenses=licences,
        purl=url,
        bom_ref=str(url),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
    )


def _needed(requires: Iterable[str]) -> set[str]:
    """The names that a package may need; which of them are there is what was installed."""
    return {str(canonicalize_name(Requirement(each).name)) for each in requires}
