"""rehearsal-report.html and dashboard.html: what a rehearsal came to, on pages that need nothing else."""
