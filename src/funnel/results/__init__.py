"""What every question answers with: a table, a headline, its rows, its chart."""
