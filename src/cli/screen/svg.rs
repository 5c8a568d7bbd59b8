//! The calendar of keys and certificates as a picture: a bar for each key, its phases coloured, patterned and named, and the next steps.
//!
//! Positions are parts of its width and texts keep their size, so that it reads on a telephone and on a wide screen, in
//! the light and in the dark. It holds no script, and no text that was not escaped.

use super::tone::clean;
use super::words::minute;
use crate::protocol::{BlockerInfo, Calendar, CertBar, CertPlan, KeyBar, KeyPhase, KeysPlan, PlannedStep};
use std::ops::Range;

/// Left of now, in per cent of the width: room to see what began before.
const BEFORE: f64 = 3.0;
/// Part of the width, in per cent, from which on a phase's name fits into its bar on a wide screen, and on a narrow one.
const NAMED_WIDE: f64 = 6.0;
const NAMED_NARROW: f64 = 22.0;
/// Steps that are written out below the bars of a zone.
const STEPS_MAX: usize = 10;
/// Characters of a line of text: as many as fit 360 pixels.
const LINE_CHARACTERS: usize = 46;
/// Heights in pixels.
const LINE: u32 = 16;
const BAR: u32 = 22;
const ROW: u32 = 50;

/// Phases in the order of a key's life: word, what it means.
const PHASES: [(KeyPhase, &str); 6] = [
    (KeyPhase::Staged, "made"),
    (KeyPhase::Rumoured, "some caches lack it"),
    (KeyPhase::Ready, "all may have it"),
    (KeyPhase::Active, "in use"),
    (KeyPhase::Retiring, "caches still need it"),
    (KeyPhase::Removed, "kept 30 days"),
];

const STYLE: &str = "\
svg{font-family:system-ui,'DejaVu Sans',Verdana,sans-serif;font-size:12px}
text{fill:#1f2328}.title{font-size:16px;font-weight:600}.key{font-weight:600}.soft{fill:#59636e}
.ground{fill:#fff}.grid{stroke:#d1d9e0}.now{stroke:#cf222e;stroke-width:2}.nowtext{fill:#cf222e;font-weight:600}
.hatch{stroke:#000;stroke-opacity:.38;stroke-width:2}.dot{fill:#000;fill-opacity:.38}
.staged{fill:#d1d9e0}.rumoured{fill:#f2cc60}.ready{fill:#80ccff}.active{fill:#1a7f37}.retiring{fill:#ffa657}
.removed{fill:#afb8c1}.name{fill:#1f2328;paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.n-staged{stroke:#d1d9e0}.n-rumoured{stroke:#f2cc60}.n-ready{stroke:#80ccff}.n-retiring{stroke:#ffa657}
.n-active{fill:#fff;stroke:#1a7f37}
@media(max-width:700px){.wide{display:none}}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.ground{fill:#0d1117}.grid{stroke:#3d444d}
.now{stroke:#ff7b72}.nowtext{fill:#ff7b72}.name{fill:#1f2328}.n-active{fill:#fff}}
";

const PATTERNS: &str = "\
<defs>
<pattern id=\"wait\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"1\" y1=\"0\" x2=\"1\" y2=\"7\"/></pattern>
<pattern id=\"dots\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><circle class=\"dot\" cx=\"2\" cy=\"2\" r=\"1\"/></pattern>
</defs>
";

/// The calendar of one zone or pool.
pub struct Part<'p> {
    title: String,
    from: u64,
    until: u64,
    steps: &'p [PlannedStep],
    blockers: &'p [BlockerInfo],
    bars: Vec<Bar<'p>>,
}

/// A key: what it is called, more about it, and its phases.
struct Bar<'p> {
    name: String,
    more: String,
    phases: &'p [(u64, KeyPhase)],
}

impl<'p> Part<'p> {
    fn of<B>(title: String, calendar: &'p Calendar<B>, bar: impl Fn(&'p B) -> Bar<'p>) -> Part<'p> {
        let Calendar { from, until, steps, bars, blockers } = calendar;
        Part { title, from: *from, until: *until, steps, blockers, bars: bars.iter().map(bar).collect() }
    }
}

impl<'p> From<&'p KeysPlan> for Part<'p> {
    fn from(plan: &'p KeysPlan) -> Part<'p> {
        let bar = |bar: &'p KeyBar| {
            let tag = bar.tag.map_or_else(|| "to be made".to_owned(), |tag| tag.to_string());
            let name = format!("{} {tag}", bar.role.to_string().to_uppercase());
            Bar { name, more: format!("algorithm {}", bar.algorithm), phases: &bar.phases }
        };
        Part::of(plan.zone.trim_end_matches('.').to_owned(), &plan.calendar, bar)
    }
}

impl<'p> From<&'p CertPlan> for Part<'p> {
    fn from(plan: &'p CertPlan) -> Part<'p> {
        let bar = |bar: &'p CertBar| {
            let name = bar.spki.as_ref().map_or_else(|| "to be made".to_owned(), |spki| spki.chars().take(8).collect());
            Bar { name, more: bar.kind.to_string(), phases: &bar.phases }
        };
        Part::of(format!("pool {}", plan.pool), &plan.calendar, bar)
    }
}

/// The picture.
pub fn text(plans: &[Part<'_>]) -> String {
    let mut body = String::new();
    let mut y = legend(&mut body, 8);
    for plan in plans {
        y = part(&mut body, plan, y);
    }
    let names: Vec<&str> = plans.iter().map(|plan| plan.title.as_str()).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"{y}\" role=\"img\">\n<title>Keys of {}</title>\n\
         <style>{STYLE}</style>\n{PATTERNS}<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n\
         <svg x=\"2%\" width=\"96%\" height=\"{y}\" overflow=\"visible\">\n{body}</svg>\n</svg>\n",
        escape(&names.join(", "))
    )
}

/// What colours and patterns mean; returns where it ends.
fn legend(body: &mut String, y: u32) -> u32 {
    let mut at = y;
    for row in PHASES.chunks(2) {
        for (column, (phase, meaning)) in row.iter().enumerate() {
            let x = column * 50;
            body.push_str(&format!("<svg x=\"{x}%\" y=\"{at}\" width=\"50%\" height=\"{LINE}\">"));
            piece(body, *phase, "0", "22", if *phase == KeyPhase::Removed { 6 } else { 12 }, 2);
            body.push_str(&format!(
                "<text x=\"28\" y=\"12\">{phase}<tspan class=\"soft wide\">: {meaning}</tspan></text></svg>\n"
            ));
        }
        at += LINE + 2;
    }
    body.push_str(&format!(
        "<text class=\"soft\" y=\"{}\">hatched: a wait until caches have forgotten</text>\n",
        at + 11
    ));
    at + LINE + 6
}

/// A rectangle of a phase with its pattern.
fn piece(body: &mut String, phase: KeyPhase, x: &str, width: &str, height: u32, y: u32) {
    let place = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
    body.push_str(&format!("<rect class=\"{phase}\" {place}/>"));
    let pattern = match phase {
        KeyPhase::Rumoured | KeyPhase::Retiring => "wait",
        KeyPhase::Ready | KeyPhase::Staged => "dots",
        // Plain: nothing waits.
        KeyPhase::Active | KeyPhase::Removed | KeyPhase::Destroyed | KeyPhase::Unknown => return,
    };
    body.push_str(&format!("<rect fill=\"url(#{pattern})\" {place}/>"));
}

/// One zone or pool; returns where it ends.
fn part(body: &mut String, plan: &Part<'_>, y: u32) -> u32 {
    let title = escape(&plan.title);
    body.push_str(&format!("<text class=\"title\" y=\"{}\">{title}</text>\n", y + 20));
    let mut at = y + 28;
    for blocker in plan.blockers {
        at = paragraph(body, &format!("assumed to be mended at once: {}", blocker.what), "0", at);
    }
    let top = at + 6;
    let rows = u32::try_from(plan.bars.len()).unwrap_or(0);
    let bottom = top + ROW * rows + LINE;
    axis(body, plan, top, bottom);
    for (row, bar) in (0..).zip(&plan.bars) {
        key(body, plan, bar, top + LINE + ROW * row);
    }
    now(body, top, bottom);
    at = bottom + 2 * LINE;
    for step in plan.steps.iter().take(STEPS_MAX) {
        body.push_str(&format!("<text class=\"soft\" y=\"{}\">{}</text>\n", at + 11, minute(step.at)));
        let assumes = if step.assumes.is_empty() { String::new() } else { format!(" (if {})", step.assumes) };
        at = paragraph(body, &format!("{}{assumes}", step.text), "14", at + LINE - 2) + 3;
    }
    if let Some(more @ 1..) = plan.steps.len().checked_sub(STEPS_MAX) {
        at = paragraph(body, &format!("and {more} more steps until {}", minute(plan.until)), "0", at);
    }
    at + LINE
}

/// The line of now, over all bars.
fn now(body: &mut String, top: u32, bottom: u32) {
    body.push_str(&format!("<line class=\"now\" x1=\"{BEFORE}%\" x2=\"{BEFORE}%\" y1=\"{top}\" y2=\"{bottom}\"/>"));
    body.push_str(&format!("<text class=\"nowtext\" x=\"0\" y=\"{}\">now</text>\n", bottom + 14));
}

/// Moments along the width.
fn axis(body: &mut String, plan: &Part<'_>, top: u32, bottom: u32) {
    let span = plan.until.saturating_sub(plan.from);
    for part in 1..=3 {
        let at = plan.from + span / 3 * part;
        let x = place(plan, at);
        let anchor = if part == 3 { "end" } else { "middle" };
        let day: String = minute(at).chars().take(10).collect();
        body.push_str(&format!("<line class=\"grid\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{top}\" y2=\"{bottom}\"/>"));
        body.push_str(&format!(
            "<text class=\"soft\" x=\"{x:.2}%\" y=\"{}\" text-anchor=\"{anchor}\">{day}</text>\n",
            bottom + 14
        ));
    }
}

/// A key: its name, and below it its phases.
fn key(body: &mut String, plan: &Part<'_>, bar: &Bar<'_>, y: u32) {
    let (name, more) = (escape(&bar.name), escape(&bar.more));
    body.push_str(&format!("<text class=\"key\" x=\"{}%\" y=\"{}\">{name}<tspan class=\"soft\" font-weight=\"400\" dx=\"6\">{more}</tspan></text>\n",
        BEFORE + 0.6, y + 12));
    let ends = bar.phases.iter().skip(1).map(|(at, _)| *at).chain([plan.until]);
    for ((count, (begin, phase)), end) in bar.phases.iter().enumerate().zip(ends) {
        let is_known = PHASES.iter().any(|(known, _)| known == phase);
        if !is_known || end <= *begin {
            continue;
        }
        // What is there now began before.
        let left = if count == 0 && *begin <= plan.from { 0.0 } else { place(plan, *begin) };
        phase_piece(body, left..place(plan, end), *begin..end, *phase, y + LINE);
    }
}

/// A phase: where it lies in per cent of the width, and when it is.
fn phase_piece(body: &mut String, across: Range<f64>, during: Range<u64>, phase: KeyPhase, y: u32) {
    let (left, width) = (across.start, across.end - across.start);
    body.push_str(&format!(
        "<svg x=\"{left:.3}%\" y=\"{y}\" width=\"{width:.3}%\" height=\"{BAR}\"><title>{phase}: {} to {}</title>",
        minute(during.start),
        minute(during.end)
    ));
    let (height, top) = if phase == KeyPhase::Removed { (6, 8) } else { (BAR, 0) };
    piece(body, phase, "0", "100%", height, top);
    if width >= NAMED_WIDE && phase != KeyPhase::Removed {
        let wide = if width < NAMED_NARROW { " wide" } else { "" };
        body.push_str(&format!("<text class=\"name n-{phase}{wide}\" x=\"6\" y=\"15\">{phase}</text>"));
    }
    body.push_str("</svg>\n");
}

/// Where a moment is, in per cent of the width.
fn place(plan: &Part<'_>, at: u64) -> f64 {
    let span = plan.until.saturating_sub(plan.from).max(1) as f64;
    let since = at.clamp(plan.from, plan.until.max(plan.from)) - plan.from;
    BEFORE + (100.0 - BEFORE) * since as f64 / span
}

/// Text in lines that fit; returns where it ends.
fn paragraph(body: &mut String, text: &str, x: &str, y: u32) -> u32 {
    let mut at = y;
    for line in lines(text) {
        body.push_str(&format!("<text x=\"{x}\" y=\"{}\">{}</text>\n", at + 12, escape(&line)));
        at += LINE;
    }
    at
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < LINE_CHARACTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text as XML has it; control characters are shown as numbers.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::KeyRole;

    fn draw(plans: &[KeysPlan]) -> String {
        text(&plans.iter().map(Part::from).collect::<Vec<_>>())
    }

    const DAY: u64 = 86_400;

    fn plan() -> KeysPlan {
        let now = 1_795_338_000;
        let step = PlannedStep { at: now + DAY, text: "publish <b>&\"".to_owned(), ..PlannedStep::default() };
        let known = PHASES.iter().map(|(phase, _)| *phase);
        let all = known.chain([KeyPhase::Destroyed, KeyPhase::Unknown]);
        let phases = (0..).zip(all).map(|(count, phase)| (now + count * 50 * DAY, phase)).collect();
        let calendar = Calendar {
            from: now,
            until: now + 400 * DAY,
            steps: vec![step; STEPS_MAX + 2],
            bars: vec![KeyBar { tag: Some(7), role: KeyRole::Zsk, algorithm: 13, phases }],
            blockers: vec![BlockerInfo { what: "a \u{1b}[2J doubt".to_owned(), ..BlockerInfo::default() }],
        };
        KeysPlan { zone: "a&b.example.".to_owned(), calendar }
    }

    /// Elements that open and close each other's names in order; no attribute is left open.
    fn well_formed(text: &str) -> bool {
        let mut open = Vec::new();
        for tag in text.split('<').skip(1) {
            let Some((tag, _)) = tag.split_once('>') else { return false };
            let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric()).collect();
            match (tag.starts_with('/'), tag.ends_with('/')) {
                (true, _) if open.pop() != Some(name.clone()) => return false,
                (true, _) | (_, true) => {}
                (false, false) => open.push(name),
            }
            if tag.matches('"').count() % 2 == 1 {
                return false;
            }
        }
        open.is_empty()
    }

    #[test]
    fn the_picture_is_well_formed_and_every_text_is_escaped() {
        let svg = draw(&[plan(), plan()]);
        assert!(well_formed(&svg) && !well_formed("<a><b></a>"), "{svg}");
        for raw in ["<b>", "a&b", "\u{1b}", "<script", "new <word>", "NaN"] {
            assert!(!svg.contains(raw), "{raw}");
        }
        assert!(
            svg.contains("a&amp;b.example") && svg.contains("&lt;b&gt;&amp;&quot;") && svg.contains("and 2 more steps")
        );
    }

    #[test]
    fn a_phase_has_a_colour_a_pattern_where_it_waits_and_a_name() {
        let svg = draw(&[plan()]);
        for (phase, _) in PHASES {
            assert!(svg.contains(&format!("<rect class=\"{phase}\"")), "{phase}");
            assert_eq!(svg.contains(&format!("n-{phase} wide\"")), phase != KeyPhase::Removed, "{phase}");
        }
        assert!(svg.contains("url(#wait)") && svg.contains("url(#dots)"));
        assert!(!svg.contains("class=\"destroyed\""), "what is gone has no bar");
    }

    #[test]
    fn an_empty_calendar_is_a_picture_too() {
        let nothing = KeysPlan { zone: "example.".to_owned(), ..KeysPlan::default() };
        assert!(well_formed(&draw(&[nothing])) && well_formed(&draw(&[])));
    }
}
