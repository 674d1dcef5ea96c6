"""The analyst's side: sessions, jobs and how an estimate shows itself."""
