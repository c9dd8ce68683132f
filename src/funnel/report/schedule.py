"""Examples that run the report on a schedule: to copy, with the company's paths filled in."""

SNIPPETS = """\
# Replace DATA by the company's folder, and REPORTS by the folder of snapshots.
# If a snapshot of the same day exists, the run ends with status 1 and changes nothing. Status 1
# also means that a notebook stopped; the pages of the others are then published.

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
