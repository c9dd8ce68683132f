"""Snippets that make a snapshot on a schedule; to be copied, and given the company's paths."""

SNIPPETS = """\
# Put the company's folder in place of DATA, and the folder of snapshots in place of REPORTS.
# A run that finds a snapshot of the same day ends with status 1 and changes nothing. Status 1
# also says that a notebook stopped; the pages of the others are published then.

# --- cron: each working day at six ------------------------------------------------------
0 6 * * 1-5  funnel report DATA --out REPORTS 2>>REPORTS/funnel.log

# --- systemd: ~/.config/systemd/user/funnel.service -------------------------------------
[Unit]
Description=Snapshot of the revenue funnel
[Service]
Type=oneshot
ExecStart=funnel report DATA --out REPORTS

# --- systemd: ~/.config/systemd/user/funnel.timer; then: systemctl --user enable --now funnel.timer
[Unit]
Description=Snapshot of the revenue funnel, each working day
[Timer]
OnCalendar=Mon..Fri 06:00
Persistent=true
[Install]
WantedBy=timers.target

# --- GitHub Actions: .github/workflows/funnel.yml ----------------------------------------
on:
  schedule: [{cron: "0 6 * * 1-5"}]
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make report
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: reports, path: reports}
"""
