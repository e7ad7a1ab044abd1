"""The command line: parse, call one library function, show. No logic lives here."""
