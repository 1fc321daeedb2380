"""rehearsal-report.html: what a rehearsal came to, on one page that needs nothing else."""
