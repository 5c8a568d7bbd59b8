//! Tables without borders: columns that line up, in a terminal folded to its width, in a pipe as wide as they are.
//!
//! A cell never holds a control character, whatever the server sent.

use super::tone::{Tone, clean};
use crate::render::{GREEN, ORANGE, RED};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};

/// Rows and their heading.
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<(Tone, String)>>,
    /// Whether the heading is printed; the pages after the first go without.
    headed: bool,
    right: Vec<usize>,
    /// A row is one line: this column loses the beginnings of its cells where the terminal is too narrow.
    cut: Option<usize>,
}

/// Columns that a cell keeps, however narrow the terminal is: the end of a file's name.
const CUT_COLUMNS_MIN: usize = 16;

impl Table {
    /// An empty table.
    pub fn new(heading: &[&'static str]) -> Table {
        Table { heading: heading.to_vec(), rows: Vec::new(), headed: true, right: Vec::new(), cut: None }
    }

    /// An empty table without a heading.
    pub fn plain(columns: usize) -> Table {
        Table { heading: vec![""; columns], rows: Vec::new(), headed: false, right: Vec::new(), cut: None }
    }

    /// These columns hold numbers, which line up at their right end.
    pub fn numbers(mut self, columns: &[usize]) -> Table {
        self.right = columns.to_vec();
        self
    }

    /// Each row is one line; where the terminal is too narrow, cells of this column lose their beginning.
    pub fn one_line(mut self, column: usize) -> Table {
        self.cut = Some(column);
        self
    }

    /// Without the columns in which no row says anything.
    pub fn without_empty(mut self) -> Table {
        let is_empty = |column: usize| self.rows.iter().all(|row| row.get(column).is_none_or(|cell| cell.1.is_empty()));
        let kept: Vec<usize> = (0..self.heading.len()).filter(|column| !is_empty(*column)).collect();
        self.right = self.right.iter().filter_map(|old| kept.iter().position(|column| column == old)).collect();
        self.heading = kept.iter().filter_map(|column| self.heading.get(*column).copied()).collect();
        for row in &mut self.rows {
            *row = kept.iter().filter_map(|column| row.get(*column).cloned()).collect();
        }
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
        let room = self.cut.zip(width).map(|(column, width)| (column, self.room(column, usize::from(width))));
        match width.filter(|_| self.cut.is_none()) {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.headed {
            table.set_header(self.heading.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
        }
        for row in &self.rows {
            let texts = row.iter().enumerate().map(|(column, (tone, text))| match room {
                Some((cut, room)) if cut == column => cell(*tone, &without_beginning(&clean(text), room)),
                _ => cell(*tone, text),
            });
            table.add_row(texts);
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

impl Table {
    /// Columns that are left for one of them.
    fn room(&self, column: usize, width: usize) -> usize {
        let heading = self.heading.iter().map(|text| text.chars().count());
        let widest = |(at, heading): (usize, usize)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|(_, text)| clean(text).chars().count());
            cells.max().unwrap_or(0).max(heading) + "  ".len()
        };
        let others: usize = heading.enumerate().filter(|(at, _)| *at != column).map(widest).sum();
        width.saturating_sub(others).max(CUT_COLUMNS_MIN)
    }
}

/// The end of a text that is longer than that, after a mark.
fn without_beginning(text: &str, columns: usize) -> String {
    let surplus = text.chars().count().saturating_sub(columns);
    if surplus == 0 { text.to_owned() } else { format!("…{}", text.chars().skip(surplus + 1).collect::<String>()) }
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
        Tone::Good => cell.fg(Color::AnsiValue(GREEN)),
        Tone::Caution => cell.fg(Color::AnsiValue(ORANGE)),
        Tone::Bad => cell.fg(Color::AnsiValue(RED)),
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
    fn a_row_that_is_one_line_loses_the_beginning_of_its_path() {
        let mut table = Table::new(&["domain", "source"]).one_line(1);
        table.row(vec![plain("contoso.com"), plain("zones/a-v1.mx.example/customers/eu/contoso.com.toml:2")]);
        table.row(vec![plain("b.example"), plain("zones/b.toml:1")]);
        let cut =
            ["domain       source", "contoso.com  …customers/eu/contoso.com.toml:2", "b.example    zones/b.toml:1"];
        assert_eq!(table.lines(Some(45), false), cut);
        assert_eq!(table.lines(Some(5), false)[1], "contoso.com  …toso.com.toml:2", "a name's end stays");
        assert!(table.lines(None, false)[1].ends_with("zones/a-v1.mx.example/customers/eu/contoso.com.toml:2"));
    }

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        let mut table = Table::new(&["a", "b", "c"]).numbers(&[2]);
        table.row(vec![plain("x"), plain(""), plain("1")]);
        table.row(vec![plain("y"), plain(""), plain("10")]);
        assert_eq!(table.without_empty().lines(None, false), ["a   c", "x   1", "y  10"]);
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
