"""HTTP: parse, call one service, render. The site as one table is in `routes`; who may do what is asked of `auth`, never decided here."""
