"""The lot: draws of experts that anyone can check. Arithmetic on values: no clock, no chance, no files, no network."""
