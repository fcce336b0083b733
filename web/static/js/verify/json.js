/**
 * A report as the JSON that the command line prints: the same field names as the Python command.
 */

/** @param {import("./report.js").Report} report */
export function reportJson(report) {
  return {
    checks: [...report.outcomes.values()],
    exit_code: report.exitCode,
    facts: report.facts,
    failed: report.having("failed"),
    headlines: report.headlines.map((code) => ({ code })),
    skipped: report.having("skipped"),
    verdict: report.verdict,
  };
}
