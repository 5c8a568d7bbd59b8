//! A file beside the journals that decisions rest on: with a checksum, there twice, and never lost without a word.
//!
//! It is a list of blocks, each with a head of one line. The head names what the file is about, so that one from another
//! zone is refused, and a number that grows with each block, so that the newer of two files is known. A file of before
//! there were heads is taken as it is. What cannot be believed is told to the caller, who must never take it for nothing.

use crate::store::copies;
use crate::store::durable;
use crate::store::durable::{Disk, DiskFault};
use std::path::{Path, PathBuf};

/// How each head begins.
const MARK: &str = "#mxseal-kept ";
/// Version of this form. A file of a higher one is from a newer program, and is not guessed at.
const VERSION: u32 = 1;

/// A file and its copy, and what is known of both.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    about: String,
    octets_max: usize,
    /// Number of the newest block; none: not read yet, or nothing is there.
    last: u64,
    /// Whether both files hold the same whole blocks, so that one more may be put behind them.
    is_settled: bool,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Neither file is there.
    Nothing,
    /// What the newest good file says.
    Whole {
        /// Its text.
        text: String,
        /// What was wrong with the other file; empty: nothing. It is mended by the next [`Kept::write`].
        flaws: Vec<String>,
    },
    /// Something is there and cannot be believed; why. It must not be taken for nothing.
    Lost(String),
}

/// One of the two files.
enum One {
    Missing,
    Good { text: String, last: u64, is_torn: bool, is_plain: bool },
    Bad(String),
}

impl Kept {
    /// A file at `path`, with its copy in the folder `copy` beside it. `about` says what it is, such as
    /// `tenant-pools of a.mx.example`; it must hold no line end. More than `octets_max` octets are neither written nor read.
    pub fn new(path: PathBuf, about: String, octets_max: usize) -> Kept {
        Kept { path, about, octets_max, last: 0, is_settled: false }
    }

    /// Reads both files. Nothing is written.
    pub fn read(&mut self) -> Found {
        let copy = copies::copy_of(&self.path);
        let (first, second) = (self.read_one(&self.path), self.read_one(&copy));
        self.is_settled = false;
        let flaw = |path: &Path, why: &str| format!("{} {why}", path.display());
        match (first, second) {
            (One::Missing, One::Missing) => Found::Nothing,
            (One::Bad(one), One::Bad(two)) => Found::Lost(format!("{}; {}", flaw(&self.path, &one), flaw(&copy, &two))),
            (One::Bad(why), One::Missing) => Found::Lost(flaw(&self.path, &why)),
            (One::Missing, One::Bad(why)) => Found::Lost(flaw(&copy, &why)),
            (One::Good { text, last, is_torn, .. }, One::Bad(why)) => {
                let torn = is_torn.then(|| flaw(&self.path, TORN));
                self.whole(text, last, [flaw(&copy, &why)].into_iter().chain(torn).collect())
            }
            (One::Bad(why), One::Good { text, last, .. }) => self.whole(text, last, vec![flaw(&self.path, &why)]),
            // A file of before there were copies has none.
            (One::Good { text, last, is_plain: true, .. }, One::Missing) => self.whole(text, last, Vec::new()),
            (One::Good { text, last, .. }, One::Missing) => self.whole(text, last, vec![flaw(&copy, "is missing")]),
            (One::Missing, One::Good { text, last, .. }) => {
                self.whole(text, last, vec![flaw(&self.path, "is missing")])
            }
            // A program of before wrote one of them since, or its head is damaged.
            (One::Good { is_plain: true, .. }, One::Good { text, last, is_plain: false, .. }) => {
                self.whole(text, last, vec![flaw(&self.path, HEADLESS)])
            }
            (One::Good { text, last, is_plain: false, .. }, One::Good { is_plain: true, .. }) => {
                self.whole(text, last, vec![flaw(&copy, HEADLESS)])
            }
            (One::Good { text: one, last, is_torn, .. }, One::Good { text: two, last: other, is_torn: torn, .. }) => {
                if last == other && one != two {
                    return Found::Lost(flaw(&self.path, "and its copy tell two stories"));
                }
                self.is_settled = last == other && last > 0 && !is_torn && !torn;
                // One block more in one of them is a crash between two writes, and no flaw.
                if last >= other { self.whole(one, last, Vec::new()) } else { self.whole(two, other, Vec::new()) }
            }
        }
    }

    /// Puts this text in place of all that was kept; durable in both files when this returns.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before can still be read, or this can.
    pub fn write(&mut self, disk: &Disk, text: &str) -> Result<(), DiskFault> {
        self.is_settled = false;
        let block = self.block(text)?;
        // Counted even if it fails: two texts must never have one number.
        self.last += 1;
        copies::make_folder(disk, self.path.parent().unwrap_or(Path::new("")))?;
        disk.write_whole(&self.path, block.as_bytes())?;
        disk.write_whole(&copies::copy_of(&self.path), block.as_bytes())?;
        self.is_settled = true;
        Ok(())
    }

    /// Puts one more block behind what is kept. Where the two files are not known to be alike, `whole` is asked for all of
    /// the text, with the block, and that is written instead.
    ///
    /// # Errors
    /// [`DiskFault`]; the block may be there then, and the next call writes all anew.
    pub fn append(&mut self, disk: &Disk, text: &str, whole: impl FnOnce() -> String) -> Result<(), DiskFault> {
        if !std::mem::take(&mut self.is_settled) {
            return self.write(disk, &whole());
        }
        let block = self.block(text)?;
        self.last += 1;
        for path in [self.path.clone(), copies::copy_of(&self.path)] {
            let mut file = durable::open_append(&path)?;
            let octets = file.metadata().map_or(u64::MAX, |found| found.len()) + block.len() as u64;
            if octets > self.octets_max as u64 {
                return self.write(disk, &whole());
            }
            disk.append(&mut file, &path, block.as_bytes())?;
        }
        self.is_settled = true;
        Ok(())
    }

    /// Removes both files, because what they are about has ended; the copy first, so that it never comes back alone.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn remove(&mut self, disk: &Disk) -> Result<(), DiskFault> {
        self.is_settled = false;
        disk.remove(&copies::copy_of(&self.path))?;
        disk.remove(&self.path)
    }

    /// Where the first of the two files is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn whole(&mut self, text: String, last: u64, flaws: Vec<String>) -> Found {
        self.last = last;
        Found::Whole { text, flaws }
    }

    fn block(&self, text: &str) -> Result<String, DiskFault> {
        let next = self.last + 1;
        let head = format!("{next} {} {}", text.len(), self.about);
        let sum = checksum(&head, text);
        let block = format!("{MARK}{VERSION} {sum:08x} {head}\n{text}");
        if block.len() <= self.octets_max {
            return Ok(block);
        }
        // What could not be read again is not written.
        let cause = std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("it would have {} octets, and {} can be read", block.len(), self.octets_max),
        );
        Err(DiskFault { file: self.path.clone(), doing: "write", cause })
    }

    fn read_one(&self, path: &Path) -> One {
        let content = match durable::open(path).and_then(|file| durable::read(&file, path, self.octets_max)) {
            Err(fault) if durable::is_missing(&fault) => return One::Missing,
            Err(fault) => return One::Bad(format!("cannot be read ({})", fault.cause)),
            Ok(content) => content,
        };
        match String::from_utf8(content) {
            Ok(text) => decode(&text, &self.about),
            Err(_) => One::Bad("is not UTF-8: it was damaged".to_owned()),
        }
    }
}

const TORN: &str = "was not written to its end";
const HEADLESS: &str = "has no head: it is damaged, or a program of before wrote it";

fn checksum(head: &str, text: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head.as_bytes());
    hasher.update(text.as_bytes());
    hasher.finalize()
}

/// Takes blocks apart. A last one that ends too early was being written when the machine stopped, and does not count.
fn decode(content: &str, about: &str) -> One {
    if content.is_empty() {
        return One::Bad("is empty: it was cut".to_owned());
    }
    if !content.starts_with('#') {
        return One::Good { text: content.to_owned(), last: 0, is_torn: false, is_plain: true };
    }
    let (mut text, mut rest, mut last) = (String::new(), content, 0);
    while !rest.is_empty() {
        match block(rest, about) {
            Ok((block, after, number)) if number > last => {
                text.push_str(block);
                (rest, last) = (after, number);
            }
            Ok(_) => return One::Bad("has its blocks in a wrong order".to_owned()),
            Err(BlockFault::Torn) if last > 0 => {
                return One::Good { text, last, is_torn: true, is_plain: false };
            }
            Err(BlockFault::Torn) => return One::Bad(TORN.to_owned()),
            Err(BlockFault::Other(why)) => return One::Bad(why),
        }
    }
    One::Good { text, last, is_torn: false, is_plain: false }
}

enum BlockFault {
    Torn,
    Other(String),
}

/// The first block: its text, what follows, and its number.
fn block<'c>(content: &'c str, about: &str) -> Result<(&'c str, &'c str, u64), BlockFault> {
    let damaged = || BlockFault::Other("is damaged: its checksum does not fit".to_owned());
    let Some((line, rest)) = content.split_once('\n') else { return Err(BlockFault::Torn) };
    let head = line.strip_prefix(MARK).ok_or_else(damaged)?;
    let (version, head) = head.split_once(' ').ok_or_else(damaged)?;
    match version.parse::<u32>() {
        Ok(VERSION) => {}
        Ok(newer) if newer > VERSION => {
            return Err(BlockFault::Other(format!("is of a newer program (form {newer})")));
        }
        _ => return Err(damaged()),
    }
    let (sum, head) = head.split_once(' ').ok_or_else(damaged)?;
    let mut parts = head.splitn(3, ' ');
    let mut part = || parts.next().ok_or_else(damaged);
    let (number, octets, named) = (part()?, part()?, part()?);
    let number: u64 = number.parse().map_err(|_| damaged())?;
    let octets: usize = octets.parse().map_err(|_| damaged())?;
    let Some(text) = rest.get(..octets) else {
        // Either it ends too early, or its length is damaged; both are no block.
        return Err(if rest.len() < octets { BlockFault::Torn } else { damaged() });
    };
    if u32::from_str_radix(sum, 16) != Ok(checksum(head, text)) {
        return Err(damaged());
    }
    if named != about {
        return Err(BlockFault::Other(format!("is about something else: {}", named.escape_debug())));
    }
    Ok((text, rest.get(octets..).unwrap_or_default(), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ABOUT: &str = "homes of a.example";

    fn kept(folder: &Path) -> Kept {
        Kept::new(folder.join("homes"), ABOUT.to_owned(), 4096)
    }

    fn text(found: &Found) -> &str {
        match found {
            Found::Whole { text, .. } => text,
            Found::Nothing | Found::Lost(_) => "",
        }
    }

    fn flaws(found: &Found) -> usize {
        match found {
            Found::Whole { flaws, .. } => flaws.len(),
            Found::Nothing => 0,
            Found::Lost(_) => usize::MAX,
        }
    }

    /// A folder with one text of two blocks in both files.
    fn filled() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut file, disk) = (kept(folder.path()), Disk::default());
        assert_eq!(file.read(), Found::Nothing);
        file.write(&disk, "a 1\n").expect("written");
        file.append(&disk, "b 2\n", || unreachable!("both are alike")).expect("written");
        let found = kept(folder.path()).read();
        assert_eq!((text(&found), flaws(&found)), ("a 1\nb 2\n", 0));
        folder
    }

    #[test]
    fn one_of_two_files_is_enough_whatever_happened_to_the_other() {
        for name in ["homes", "copy/homes"] {
            let folder = filled();
            let path = folder.path().join(name);
            let whole = fs::read(&path).expect("read");
            for at in 0..whole.len() {
                let mut octets = whole.clone();
                octets[at] ^= 4;
                fs::write(&path, &octets).expect("written");
                let found = kept(folder.path()).read();
                assert_eq!(text(&found), "a 1\nb 2\n", "{name} octet {at}: {found:?}");
                assert!(at > 0 || flaws(&found) == 1, "a file that lost its head is told: {found:?}");
            }
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).expect("written");
                let found = kept(folder.path()).read();
                assert_eq!(text(&found), "a 1\nb 2\n", "{name} cut at {length}");
                assert!(length > 0 || flaws(&found) == 1, "a file that was emptied is told");
            }
            fs::remove_file(&path).expect("removed");
            let found = kept(folder.path()).read();
            assert_eq!((text(&found), flaws(&found)), ("a 1\nb 2\n", 1));
        }
    }

    #[test]
    fn where_both_are_damaged_it_is_lost_and_never_nothing() {
        let folder = filled();
        for name in ["homes", "copy/homes"] {
            let path = folder.path().join(name);
            let mut octets = fs::read(&path).expect("read");
            octets[30] ^= 1;
            fs::write(&path, &octets).expect("written");
        }
        assert!(matches!(kept(folder.path()).read(), Found::Lost(_)));
    }

    #[test]
    fn a_file_about_something_else_or_of_a_newer_program_is_not_believed() {
        let folder = filled();
        let other = Kept::new(folder.path().join("homes"), "homes of b.example".to_owned(), 4096).read();
        assert!(matches!(&other, Found::Lost(why) if why.contains("about something else: homes of a.example")));
        for name in ["homes", "copy/homes"] {
            let path = folder.path().join(name);
            let newer = fs::read_to_string(&path).expect("read").replacen("#mxseal-kept 1", "#mxseal-kept 2", 1);
            fs::write(&path, newer).expect("written");
        }
        assert!(matches!(kept(folder.path()).read(), Found::Lost(why) if why.contains("newer program")));
    }

    #[test]
    fn a_crash_between_the_two_files_leaves_the_newer_text() {
        let folder = filled();
        let before = fs::read(folder.path().join("copy/homes")).expect("read");
        let mut file = kept(folder.path());
        file.read();
        file.write(&Disk::default(), "c 3\n").expect("written");
        fs::write(folder.path().join("copy/homes"), before).expect("as before");
        let found = kept(folder.path()).read();
        assert_eq!((text(&found), flaws(&found)), ("c 3\n", 0));
    }

    #[test]
    fn a_file_of_before_is_taken_as_it_is_and_gets_a_head_with_the_next_text() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("homes"), "a 1\n").expect("written");
        let mut file = kept(folder.path());
        let found = file.read();
        assert_eq!((text(&found), flaws(&found)), ("a 1\n", 0));
        file.append(&Disk::default(), "b 2\n", || "a 1\nb 2\n".to_owned()).expect("written");
        assert_eq!(text(&kept(folder.path()).read()), "a 1\nb 2\n");
        assert!(fs::read_to_string(folder.path().join("homes")).expect("read").starts_with(MARK));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let folder = filled();
        let (mut file, disk) = (kept(folder.path()), Disk::default());
        file.read();
        assert!(file.write(&disk, &"x".repeat(4096)).is_err());
        assert_eq!(text(&kept(folder.path()).read()), "a 1\nb 2\n");
        // Blocks that no longer fit behind each other are written as one.
        file.read();
        for _ in 0..1_000 {
            file.append(&disk, "b 2\n", || "short\n".to_owned()).expect("written");
        }
        assert!(text(&kept(folder.path()).read()).starts_with("short\n"));
    }
}
