"""tamiz runs the Windows Filtering Platform anywhere."""
