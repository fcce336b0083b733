"""What people see: templates and static files for the service. Nothing of it is in this release; the place is kept by contract."""
