//! Text tables whose columns are as wide as their widest cell.

/// Prints rows under a head; the last column is not padded.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    print!("{}", render(head, rows));
}

/// The table as text.
pub fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = line(&head, &widths);
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    text.push_str(&line(&rule, &widths));
    for row in rows {
        text.push_str(&line(row, &widths));
    }
    text
}

/// One row, in columns of these widths.
pub fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
    format!("{}\n", cells.join(" | ").trim_end())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["long".to_owned(), "1".to_owned()], vec!["s".to_owned(), "22".to_owned()]];
        assert_eq!(super::render(&["a", "b"], &rows), "a    | b\n---- | --\nlong | 1\ns    | 22\n");
    }
}
