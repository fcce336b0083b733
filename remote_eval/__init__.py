"""The room: confidential evaluation sessions, on site and across sites. Nothing of it is in this release; the place is kept by contract."""
