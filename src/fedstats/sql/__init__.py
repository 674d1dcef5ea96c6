"""SQL: `parse` reads text into core trees, `render` writes them for a database; sqlglot lives here only."""
