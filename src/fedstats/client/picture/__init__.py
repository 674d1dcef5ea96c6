"""Pictures of tables: what is drawn (`drawing`), in files and notebooks (`figure`), in terminals (`text`)."""
