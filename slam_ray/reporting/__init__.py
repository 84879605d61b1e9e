"""What did we learn? The figures, the page and the table that a run ends with."""

from slam_ray.reporting.step import PAGE_FILE, BenchmarkSteps, ReportResult, RunSteps, report_step

__all__ = ["PAGE_FILE", "BenchmarkSteps", "ReportResult", "RunSteps", "report_step"]
