//! Columns aligned for reading: text to the left, numbers to the right.

/// A table under its heads. Cells that begin with a digit or a sign stand to the right.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |i: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(i))
            .map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(heads[i].chars().count())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let is_number = |i: usize| {
        let mut cells = rows
            .iter()
            .filter_map(|row| row.get(i))
            .filter(|cell| !cell.is_empty());
        cells.all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    };
    let numbers: Vec<bool> = (0..heads.len()).map(is_number).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (i, cell) in cells.enumerate() {
            let pad = " ".repeat(widths[i].saturating_sub(cell.chars().count()));
            line.push_str("  ");
            if numbers[i] {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heads.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = [["up", "5"], ["process_cpu", "12345"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&["metric", "bytes"], &rows),
            "  metric       bytes\n  up               5\n  process_cpu  12345"
        );
    }
}
