//! Master files (RFC 1035 § 5): every line becomes a record or an error with its place.
//!
//! Nothing is skipped silently, and nothing is read but what the caller hands in.

mod directive;
mod fault;
mod generate;
mod lexer;
mod octets;
mod reader;
mod records;
mod room;

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;

pub use directive::{INCLUDE_DEPTH_MAX, INCLUDES_MAX};
pub use fault::DIAGNOSTICS_MAX;
pub use generate::{GENERATED_MAX, GENERATED_TOTAL_MAX};
pub use octets::text_of;
pub use records::{OwnRecord, Record, Records};
pub use room::Room;

/// A master file and what it includes.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// All good records in the order of the file.
    pub records: Records,
    /// The file itself, then each file it includes, as the operator would type them.
    pub files: Vec<String>,
    /// All that is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The room that it was read within.
    pub room: Room,
}

/// Hands out the text of a file that $INCLUDE names, or a reason without a final dot. The path is relative to the
/// folder of the master file itself, also where an included file includes another; the caller keeps it inside the
/// folder, as nothing here looks at `..`.
pub type Include<'i> = dyn FnMut(&str) -> Result<String, String> + 'i;

/// Whether a master file may name others: only one in which `$INCLUDE` stands does.
pub fn may_include(text: &str) -> bool {
    let is_it = |at: &[u8]| at.eq_ignore_ascii_case(b"$INCLUDE");
    text.as_bytes().windows(8).any(is_it)
}

/// What is wrong with a file whose last line has no end: it may be half of a line, so nothing of the file may be used.
pub fn unended(file: &str, text: &str) -> Option<Diagnostic> {
    crate::diagnostic::unended(fault::code::UNENDED, file, text, "nothing of the file is used")
}

/// Reads a master file whose records belong at or below `origin`, which is in lower case; `file` is what diagnostics
/// call it. It may hold as much as [`Room::default`].
pub fn parse(origin: &[u8], file: &str, text: &str, include: &mut Include<'_>) -> Parsed {
    parse_within(&Room::default(), origin, file, text, include)
}

/// As [`parse`], within `room`: past it nothing more is read, and the file has an error.
pub fn parse_within(room: &Room, origin: &[u8], file: &str, text: &str, include: &mut Include<'_>) -> Parsed {
    reader::Reader::new(origin, file, include, room).run(text)
}

/// The zone that a master file in full form (owner, TTL, IN, type) is about: the owner of its SOA.
pub fn owner_of_soa(text: &str) -> Option<Name> {
    let line = text.lines().find(|line| line.split_ascii_whitespace().nth(3) == Some("SOA"))?;
    Name::parse(line.split_ascii_whitespace().next()?, crate::dns::name::ROOT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::dns::{name, rdata, rtype};
    use std::collections::BTreeMap;

    fn name(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name of the test")
    }

    /// Reads a file of zone `example.`; other files come from `files`.
    fn parse_with(text: &str, files: &[(&str, &str)]) -> Parsed {
        let files: BTreeMap<_, _> = files.iter().copied().collect();
        let mut include = |path: &str| files.get(path).map(|text| (*text).to_owned()).ok_or("no such file".to_owned());
        parse(&name("example."), "zones/example.zone", text, &mut include)
    }

    fn parse_one(text: &str) -> Parsed {
        parse_with(text, &[])
    }

    /// Each record as `line owner ttl type data`.
    fn lines(parsed: &Parsed) -> Vec<String> {
        let shown = |r: Record<'_>| {
            let data = rdata::to_text(r.rtype, r.data);
            format!("{} {} {} {} {data}", r.line, name::print(r.owner), r.ttl, rtype::print(r.rtype))
        };
        parsed.records.iter().map(shown).collect()
    }

    fn good(text: &str) -> Vec<String> {
        let parsed = parse_one(text);
        assert_eq!(parsed.diagnostics, [], "{text}");
        lines(&parsed)
    }

    /// Each diagnostic as `line:column+width code message`; all have a help.
    fn faults(parsed: &Parsed) -> Vec<String> {
        assert!(parsed.diagnostics.iter().all(|d| !d.help.is_empty()), "{:?}", parsed.diagnostics);
        let shown = |d: &Diagnostic| {
            let place = &d.place;
            format!("{}:{}+{} {} {}", place.line, place.column, place.width, d.code, d.message)
        };
        parsed.diagnostics.iter().map(shown).collect()
    }

    #[track_caller]
    fn one_fault(text: &str, expected: &str) {
        assert_eq!(faults(&parse_one(text)), [expected], "{text}");
    }

    #[test]
    fn a_whole_zone_is_read() {
        let text = "\u{feff}$TTL 1h ; default\r\n\
            @ IN SOA ns1 hostmaster (\r\n\
            \t 7 ; serial\r\n\
            \t 1h 15m 1w 5m )\r\n\
            \r\n\
            \tNS ns1\r\n\
            NS1 60 IN A 192.0.2.1\r\n\
            \tIN 1d2h AAAA 2001:db8::1\r\n\
            $ORIGIN sub\r\n\
            w\\.x TXT \"a;b\" ( c\r\n\
            ) ; end\r\n\
            @ TYPE65400 \\# 1 ff\r\n\
            example. CLASS1 MX 10 mail";
        assert_eq!(
            good(text),
            [
                "2 example. 3600 SOA ns1.example. hostmaster.example. 7 3600 900 604800 300",
                "6 example. 3600 NS ns1.example.",
                "7 ns1.example. 60 A 192.0.2.1",
                "8 ns1.example. 93600 AAAA 2001:db8::1",
                "10 w\\.x.sub.example. 3600 TXT \"a;b\" \"c\"",
                "12 sub.example. 3600 TYPE65400 \\# 1 ff",
                "13 example. 3600 MX 10 mail.sub.example.",
            ]
        );
    }

    #[test]
    fn a_last_line_without_its_end_is_no_line() {
        for good in ["", "a 1 A 192.0.2.150\n", "a 1 A 192.0.2.150\r\n", "a 1 A 192.0.2.150\n  \t", "\n"] {
            assert_eq!(unended("z", good), None, "{good:?}");
        }
        for bad in ["a 1 A 192.0.2.15", "\na 1 A 192.0.2.15", "a 1 TXT \"x\"", "a 1 A 192.0.2.15\r", "; half"] {
            let fault = unended("z", bad).expect(bad);
            assert_eq!((fault.code, fault.place.line > 0, fault.help.contains("newline")), ("MX2006", true, true));
        }
    }

    #[test]
    fn a_missing_ttl_is_that_of_the_directive_then_the_last_one_then_the_soa_minimum() {
        let soa = "@ SOA a b 1 2 3 4 300\n";
        assert_eq!(good(&format!("{soa}a A 192.0.2.1"))[0], "1 example. 300 SOA a.example. b.example. 1 2 3 4 300");
        assert_eq!(good(&format!("{soa}a A 192.0.2.1"))[1], "2 a.example. 300 A 192.0.2.1");
        assert_eq!(good(&format!("{soa}b 60 A 192.0.2.2\na A 192.0.2.1"))[2], "3 a.example. 60 A 192.0.2.1");
        assert_eq!(good(&format!("{soa}b 60 A 192.0.2.2\n$TTL 9\na A 192.0.2.1"))[2], "4 a.example. 9 A 192.0.2.1");
        one_fault("a A 192.0.2.1\n", "1:3+1 MX2028 the record has no TTL, and nothing above gives one");
    }

    #[test]
    fn ttl_above_the_limit_is_an_error() {
        assert_eq!(good("a 2147483647 A 192.0.2.1"), ["1 a.example. 2147483647 A 192.0.2.1"]);
        let above = "is above the highest TTL, 2147483647 (RFC 2181 § 8)";
        one_fault("a 2147483648 A 192.0.2.1", &format!("1:3+10 MX2027 `2147483648` {above}"));
        one_fault("$TTL 99999w", &format!("1:6+6 MX2027 `99999w` {above}"));
        one_fault("$TTL \"5\"", "1:6+3 MX2027 `5` is a TTL in quotes");
        one_fault("a 192.0.2.1", "1:3+9 MX2027 `192.0.2.1` is no TTL");
    }

    #[test]
    fn faults_of_the_form_name_their_place() {
        one_fault("a 1 A 192.0.2.1 )\n", "1:17+1 MX2004 a closing parenthesis without an opening one");
        one_fault("a 1 TXT \"é\0b\"", "1:11+1 MX2001 the control character 0x00 stands in the file");
        one_fault("; a\u{7f}", "1:4+1 MX2001 the control character 0x7f stands in the file");
        one_fault("a 1 TXT a\rb", "1:10+1 MX2001 the control character 0x0d stands in the file");
        one_fault("a 1 TXT ( a\n \"b ) ; c\n d )", "2:2+8 MX2002 the quote is not closed on its line");
        one_fault("a 1 TXT \"b\"c", "1:12+1 MX2004 a quoted string and a word touch");
        one_fault("a 1 TXT b\"c\"", "1:10+1 MX2004 a quoted string and a word touch");
        one_fault("a 1 TXT b=\"c\"", "1:9+5 MX2030 a quote stands inside `b=\"c\"`");
        one_fault(
            "a 1 TXT a\\\n",
            "1:9+2 MX2030 `a\\`: a backslash is followed by neither a character nor three digits up to 255",
        );
    }

    #[test]
    fn an_unclosed_parenthesis_costs_one_record_and_names_where_it_was_opened() {
        let parsed = parse_one("$TTL 1\na TXT (\n b\n c\nd TXT e\nf TXT ( g\n");
        assert_eq!(lines(&parsed), ["5 d.example. 1 TXT \"e\""]);
        let fault = "MX2003 the parenthesis opened here is never closed";
        assert_eq!(faults(&parsed), [format!("2:7+1 {fault}"), format!("6:7+1 {fault}")]);
        assert_eq!(parsed.diagnostics[0].place.text, "a TXT (");
    }

    #[test]
    fn a_file_of_unclosed_parentheses_ends_soon() {
        let parsed = parse_one(&"a 1 TXT (\n".repeat(50_000));
        assert!((2..=20).contains(&parsed.diagnostics.len()), "{}", parsed.diagnostics.len());
    }

    #[test]
    fn too_many_fields_are_one_error() {
        let text = format!("a 1 TXT (\n{})\nb 1 A 192.0.2.1\n", " x\n".repeat(lexer::FIELDS_MAX));
        let parsed = parse_one(&text);
        assert_eq!(lines(&parsed), [format!("{} b.example. 1 A 192.0.2.1", lexer::FIELDS_MAX + 3)]);
        assert_eq!(parsed.diagnostics.len(), 1);
        assert_eq!(parsed.diagnostics[0].code, "MX2005");
    }

    #[test]
    fn faults_of_the_record_name_their_place() {
        one_fault("a..b 1 A 192.0.2.1", "1:1+4 MX2020 `a..b` is not a name: a label is empty");
        one_fault("\"a\" 1 A 192.0.2.1", "1:1+3 MX2020 `\"a\"` is a quoted string where a name belongs");
        one_fault(
            " 1 A 192.0.2.1",
            "1:2+1 MX2021 the line begins with a blank, but no record stands above whose owner it could take",
        );
        one_fault("other. 1 A 192.0.2.1", "1:1+6 MX2022 the owner other. lies outside the zone");
        one_fault("xexample. 1 A 192.0.2.1", "1:1+9 MX2022 the owner xexample. lies outside the zone");
        one_fault("a 1 IN", "1:5+2 MX2023 the line ends before the type of the record");
        one_fault("a", "1:1+1 MX2023 the line ends before the type of the record");
        one_fault("a 1 AAAB ::1", "1:5+4 MX2024 `AAAB` is not a record type");
        one_fault("a 1 \"A\" 192.0.2.1", "1:5+3 MX2024 `A` is not a record type");
        one_fault("a 1 2 A 192.0.2.1", "1:5+1 MX2024 `2` is not a record type");
        one_fault("a 1 ANY x", "1:5+3 MX2025 ANY is never data of a zone (RFC 6895 § 3.1)");
        one_fault("a 1 TYPE0 \\# 0", "1:5+5 MX2025 TYPE0 is never data of a zone (RFC 6895 § 3.1)");
        one_fault("a 1 CH A 192.0.2.1", "1:5+2 MX2026 class CH is not served here, only IN");
        one_fault("a CLASS3 1 A 192.0.2.1", "1:3+6 MX2026 class CLASS3 is not served here, only IN");
        one_fault("a 1 A 192.0.2", "1:7+7 MX2030 address `192.0.2` is not an IPv4 address");
        one_fault("a 1 MX 10", "1:5+2 MX2030 host is missing");
        one_fault(
            "\té 1 A 192.0.2.1",
            "1:2+1 MX2024 `é` is not a record type: the line begins with a blank, so its owner is that of the line above",
        );
        one_fault(
            "a 1 TXT \"é\" ( ü\n\t \"é\" y\\256 )",
            "2:7+5 MX2030 `y\\256`: a backslash is followed by neither a character nor three digits up to 255",
        );
    }

    #[test]
    fn the_nearest_type_is_offered() {
        assert_eq!(parse_one("a 1 AAAB ::1").diagnostics[0].help, "did you mean AAAA?");
        assert_eq!(parse_one("a 1 tsla 3 1 1 00").diagnostics[0].help, "did you mean TLSA?");
    }

    #[test]
    fn all_errors_are_told_at_once_and_the_good_lines_are_records() {
        let parsed = parse_one("$TTL 1\na A x\nb A 192.0.2.1\nc BAD\n$FOO\nd AAAA ::1\n");
        assert_eq!(lines(&parsed), ["3 b.example. 1 A 192.0.2.1", "6 d.example. 1 AAAA ::1"]);
        let places: Vec<_> = parsed.diagnostics.iter().map(|d| (d.place.line, d.code)).collect();
        assert_eq!(places, [(2, "MX2030"), (4, "MX2024"), (5, "MX2010")]);
        assert_eq!(
            parsed.diagnostics[0].one_line(),
            "zones/example.zone:2:5: address `x` is not an IPv4 address (write `A <address>`)"
        );
    }

    #[test]
    fn a_line_below_a_broken_owner_does_not_join_the_owner_before_it() {
        let parsed = parse_one("a 1 A 192.0.2.1\nb..c 1 A 192.0.2.2\n 1 A 192.0.2.3\nd 1 A 192.0.2\n 1 A 192.0.2.4\n");
        assert_eq!(lines(&parsed), ["1 a.example. 1 A 192.0.2.1", "5 d.example. 1 A 192.0.2.4"]);
        assert_eq!(faults(&parsed)[1], "3:2+1 MX2021 the record takes its owner from line 2, where it is wrong");
    }

    #[test]
    fn diagnostics_have_a_limit_and_say_what_they_leave_out() {
        let parsed = parse_one(&"a A x\n".repeat(DIAGNOSTICS_MAX + 5));
        assert_eq!(parsed.diagnostics.len(), DIAGNOSTICS_MAX + 1);
        let last = parsed.diagnostics.last().expect("just counted");
        assert_eq!((last.message.as_str(), last.code), ("5 more errors are not shown", "MX2099"));
    }

    #[test]
    fn directives_that_are_wrong_name_their_place() {
        one_fault("$ORIGIN", "1:1+7 MX2011 $ORIGIN has 0 fields behind it");
        one_fault("$ORIGIN a b", "1:1+7 MX2011 $ORIGIN has 2 fields behind it");
        one_fault("$ORIGIN a..b", "1:9+4 MX2011 `a..b` is not a name: a label is empty");
        one_fault("$TTL", "1:1+4 MX2011 $TTL has 0 fields behind it");
        one_fault("$TTL x", "1:6+1 MX2027 `x` is no TTL");
        one_fault("$TLL 5", "1:1+4 MX2010 `$TLL` is not a directive");
        one_fault("$INCLUDE", "1:1+8 MX2011 $INCLUDE has 0 fields behind it");
        one_fault("$INCLUDE a b..c", "1:12+4 MX2011 `b..c` is not a name: a label is empty");
        one_fault("$INCLUDE a", "1:10+1 MX2012 `a` cannot be included: no such file");
        one_fault("$GENERATE 1-2 a", "1:15+1 MX2023 the line ends before the type of the record");
        one_fault("$GENERATE 1-2", "1:1+9 MX2011 $GENERATE has 1 fields behind it");
    }

    #[test]
    fn an_included_file_has_its_own_origin_and_owner_and_its_errors_name_it() {
        let main = "$TTL 5\na A 192.0.2.1\n$INCLUDE sub/b.inc b\n A 192.0.2.2\n$include \"c.inc\"\nz A 192.0.2.9\n";
        let files = [
            ("sub/b.inc", "w A 192.0.2.3\n$ORIGIN c\n$INCLUDE d.inc\nx A bad\n"),
            ("sub/d.inc", "y 7 A 192.0.2.4\n"),
            ("c.inc", " A 192.0.2.5\n"),
        ];
        let parsed = parse_with(main, &files);
        assert_eq!(
            lines(&parsed),
            [
                "2 a.example. 5 A 192.0.2.1",
                "1 w.b.example. 5 A 192.0.2.3",
                "1 y.c.b.example. 7 A 192.0.2.4",
                "4 a.example. 5 A 192.0.2.2",
                "6 z.example. 5 A 192.0.2.9",
            ]
        );
        assert_eq!(parsed.files, ["zones/example.zone", "zones/sub/b.inc", "zones/sub/d.inc", "zones/c.inc"]);
        let shown: Vec<_> = parsed.diagnostics.iter().map(|d| (d.place.file.as_str(), d.place.line, d.code)).collect();
        assert_eq!(shown, [("zones/sub/b.inc", 4, "MX2030"), ("zones/c.inc", 1, "MX2021")]);
        let files: Vec<u16> = parsed.records.iter().map(|record| record.file).collect();
        assert_eq!(files, [0, 1, 2, 0, 0]);
    }

    #[test]
    fn includes_neither_loop_nor_go_deep_nor_grow_without_end() {
        let parsed = parse_with("$INCLUDE a", &[("a", "$INCLUDE b\n"), ("b", "$INCLUDE a\n")]);
        assert_eq!(faults(&parsed), ["1:10+1 MX2013 `a` includes itself: example.zone > a > b > a"]);
        let parsed = parse_with("$INCLUDE example.zone", &[]);
        assert_eq!(parsed.diagnostics[0].code, "MX2013");
        let mut deep = |path: &str| Ok(format!("$INCLUDE {path}x"));
        let parsed = parse(&name("example."), "z", "$INCLUDE x", &mut deep);
        assert_eq!(faults(&parsed), ["1:10+9 MX2013 more than 8 files include one another"]);
        let mut wide = |path: &str| Ok(format!("$INCLUDE {path}x\n").repeat(4));
        let parsed = parse(&name("example."), "z", "$INCLUDE x", &mut wide);
        assert_eq!(parsed.files.len(), INCLUDES_MAX + 1);
    }

    #[test]
    fn generate_makes_what_bind_makes() {
        assert_eq!(
            good("$TTL 1\n$GENERATE 1-5/2 h$ A 192.0.2.${10}\n"),
            ["2 h1.example. 1 A 192.0.2.11", "2 h3.example. 1 A 192.0.2.13", "2 h5.example. 1 A 192.0.2.15"]
        );
        for (line, made) in [
            ("$GENERATE 9-9 h${1,3} 60 IN CNAME $.x", "1 h010.example. 60 CNAME 9.x.example."),
            ("$GENERATE 9-9 h${-9} 60 MX \"$ m${0,0,d}\"", "1 h0.example. 60 MX 9 m9.example."),
            ("$GENERATE 30-30 ${0,4,x}-${0,1,X}-${0,3,o} 60 A 192.0.2.1", "1 001e-1e-036.example. 60 A 192.0.2.1"),
            ("$GENERATE 171-171 ${0,7,n} 60 A 192.0.2.1", "1 b.a.0.0.example. 60 A 192.0.2.1"),
            ("$GENERATE 171-171 ${0,1,N}.${0,4,n}x 60 A 192.0.2.1", "1 b.a.b.a.x.example. 60 A 192.0.2.1"),
            ("$GENERATE 1-1 a\\$$$-$ 60 TXT \"cost \\$ $\" \"x\"", "1 a\\$\\$-1.example. 60 TXT \"cost $ 1\" \"x\""),
            ("$GENERATE 1-1 a 60 TXT \"two words $\"", "1 a.example. 60 TXT \"two words 1\""),
            ("$generate 1-1 a 60 AAAA 2001:db8::$", "1 a.example. 60 AAAA 2001:db8::1"),
        ] {
            assert_eq!(good(line), [made], "{line}");
        }
    }

    #[test]
    fn generate_that_is_wrong_is_one_error_with_its_place() {
        for (line, fault) in [
            ("$GENERATE 1 a 1 A 192.0.2.1", "1:11+1 MX2014 `1` is not a range"),
            ("$GENERATE 1-2/0 a 1 A 192.0.2.1", "1:11+5 MX2014 `1-2/0` is not a range"),
            ("$GENERATE 1--2 a 1 A 192.0.2.1", "1:11+4 MX2014 `1--2` is not a range"),
            ("$GENERATE 2-1 a 1 A 192.0.2.1", "1:11+3 MX2014 the range `2-1` ends before it starts"),
            ("$GENERATE 0-65536 a 1 A 192.0.2.1", "1:11+7 MX2014 the range makes 65537 records, more than 65536"),
            ("$GENERATE 1-2 a${ 1 A 192.0.2.1", "1:15+17 MX2014 `${` is not closed"),
            ("$GENERATE 1-2 a${0,1,q} 1 A 192.0.2.1", "1:15+23 MX2014 `${0,1,q}` cannot be applied to 1"),
            ("$GENERATE 1-2 a${-2} 1 A 192.0.2.1", "1:15+20 MX2014 `${-2}` cannot be applied to 1"),
            ("$GENERATE 1-2 a${0,256} 1 A 192.0.2.1", "1:15+23 MX2014 `${0,256}` cannot be applied to 1"),
            (
                "$GENERATE 255-257 a$ 1 A 192.0.2.$",
                "1:19+16 MX2030 generated record `a256 1 A 192.0.2.256`: address `192.0.2.256` is not an IPv4 address",
            ),
            ("$GENERATE 1-2 a 1 AXFR x", "1:19+4 MX2025 AXFR is never data of a zone (RFC 6895 § 3.1)"),
        ] {
            one_fault(line, fault);
        }
        let long = format!("$GENERATE 1-2 a 1 TXT {}", "x ".repeat(600));
        assert!(faults(&parse_one(&long))[0].ends_with("owner and data are longer than 1024 octets"));
    }

    #[test]
    fn generated_records_have_a_limit_in_all() {
        let text = "$TTL 1\n".to_owned() + &"$GENERATE 0-65535 a A 192.0.2.1\n".repeat(5);
        let parsed = parse_one(&text);
        assert_eq!(u32::try_from(parsed.records.len()), Ok(GENERATED_TOTAL_MAX));
        assert_eq!(faults(&parsed), ["6:11+7 MX2014 more than 262144 records are generated in all"]);
    }

    #[test]
    fn blank_and_comment_lines_are_nothing() {
        assert_eq!(good(" \t \n;x\n  ; y\n()\n( ; z\n)\n\r\n"), [""; 0]);
        assert_eq!(good(""), [""; 0]);
    }
}
