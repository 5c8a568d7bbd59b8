//! Tables without borders: columns that line up, in a terminal folded to its width, in a pipe as wide as they are.
//!
//! A cell never holds a control character, whatever the server sent.

use super::output::{Tone, clean};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};

/// Rows and their heading.
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<(Tone, String)>>,
    /// Whether the heading is printed; the pages after the first go without.
    headed: bool,
    right: Vec<usize>,
}

impl Table {
    /// An empty table.
    pub fn new(heading: &[&'static str]) -> Table {
        Table { heading: heading.to_vec(), rows: Vec::new(), headed: true, right: Vec::new() }
    }

    /// An empty table without a heading.
    pub fn plain(columns: usize) -> Table {
        Table { heading: vec![""; columns], rows: Vec::new(), headed: false, right: Vec::new() }
    }

    /// These columns hold numbers, which line up at their right end.
    pub fn numbers(mut self, columns: &[usize]) -> Table {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<(Tone, String)>) {
        self.rows.push(cells);
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Makes room for the next page, which has no heading.
    pub fn next_page(&mut self) {
        self.rows.clear();
        self.headed = false;
    }

    /// The lines, without spaces at their ends. No row: no line.
    pub fn lines(&self, width: Option<u16>, colour: bool) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        if colour {
            table.enforce_styling();
        }
        match width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.headed {
            table.set_header(self.heading.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|(tone, text)| cell(*tone, text)));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if self.right.contains(&index) {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A cell without a tone.
pub fn plain(text: impl Into<String>) -> (Tone, String) {
    (Tone::Plain, text.into())
}

fn cell(tone: Tone, text: &str) -> Cell {
    let cell = Cell::new(clean(text));
    match tone {
        Tone::Plain => cell,
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Good => cell.fg(Color::Green),
        Tone::Caution => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
    }
}

/// Columns of the terminal that standard output is, if it tells.
pub fn terminal_columns() -> Option<u16> {
    comfy_table::Table::new().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["zone", "tenants"]).numbers(&[1]);
        table.row(vec![plain("a.example."), plain("7")]);
        table.row(vec![(Tone::Bad, "long-name.example.".to_owned()), plain("1000")]);
        table
    }

    #[test]
    fn columns_line_up_without_drawing_or_colour_in_a_pipe() {
        assert_eq!(
            sample().lines(None, false),
            ["zone                tenants", "a.example.                7", "long-name.example.     1000"]
        );
    }

    #[test]
    fn colour_marks_the_cell_and_the_heading() {
        let lines = sample().lines(None, true);
        assert!(lines[0].contains("\x1b[1m"), "{lines:?}");
        assert!(lines[2].contains("\x1b["), "{lines:?}");
        assert!(!lines[1].contains("\x1b["), "{lines:?}");
    }

    #[test]
    fn a_table_folds_into_the_terminal() {
        let mut table = Table::new(&["a", "b"]);
        table.row(vec![plain("word ".repeat(30)), plain("x")]);
        let lines = table.lines(Some(40), false);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
    }

    #[test]
    fn an_empty_table_prints_nothing_and_the_next_page_no_heading() {
        let mut table = sample();
        table.next_page();
        assert!(table.lines(None, false).is_empty());
        table.row(vec![plain("b."), plain("1")]);
        assert_eq!(table.lines(None, false), ["b.  1"]);
    }
}
