//! As much of Markdown as the checks of links need: links, headings, and what is code and therefore neither.

/// A link's target, and the line that it stands in, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// The line.
    pub line: usize,
    /// The target as it is written.
    pub target: String,
}

/// Every link and image: `[text](target)`, and definitions `[name]: target`.
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        if let Some(target) = definition(&prose) {
            found.push(Link { line, target });
        }
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, end) = target(after);
            if !target.is_empty() {
                found.push(Link { line, target: target.to_owned() });
            }
            rest = end;
        }
    }
    found
}

/// The anchor of every heading, as GitHub and mdBook make it.
pub fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in lines_outside_fences(text) {
        let level = line.chars().take_while(|&c| c == '#').count();
        if !(1..=6).contains(&level) || !line.get(level..).is_some_and(|rest| rest.starts_with(' ')) {
            continue;
        }
        let anchor = anchor(line.get(level..).unwrap_or_default());
        let earlier = found.iter().filter(|other| is_repetition(other, &anchor)).count();
        found.push(if earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
    }
    found
}

/// `setup` and `setup-1` are both headings `Setup`.
fn is_repetition(found: &str, anchor: &str) -> bool {
    let number = found.strip_prefix(anchor).map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn lines_outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let marker = ["```", "~~~"].into_iter().find(|marker| line.trim_start().starts_with(marker));
        match (fence, marker) {
            (None, Some(opened)) => fence = Some(opened),
            (Some(open), Some(marker)) if open == marker => fence = None,
            (None, None) => return Some((index + 1, line)),
            _ => {}
        }
        None
    })
}

/// The lines outside fences, without what stands between backticks.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    lines_outside_fences(text).map(|(line, text)| {
        // Every second part stands between backticks.
        let parts = text.split('`').enumerate().filter(|(index, _)| index % 2 == 0);
        (line, parts.map(|(_, part)| part).collect::<Vec<_>>().join("`"))
    })
}

fn definition(line: &str) -> Option<String> {
    let (name, target) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    // `[^1]:` is a footnote.
    (!name.starts_with('^')).then(|| target.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The target that `text` begins with, and what stands behind it.
fn target(text: &str) -> (&str, &str) {
    let (inside, rest) = text.split_once(')').unwrap_or((text, ""));
    // A title may follow: `(target "title")`.
    let target = inside.split_whitespace().next().unwrap_or_default();
    (target.trim_start_matches('<').trim_end_matches('>'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn links_images_and_definitions_are_found() {
        let text = "[a](a.md) and ![b](b.png \"B\")\n[c]: c.md\n[`d`](<d.md#x>)\n";
        assert_eq!(targets(text), ["a.md", "b.png", "c.md", "d.md#x"]);
    }

    #[test]
    fn code_has_no_links() {
        assert_eq!(targets("`[a](a.md)`\n```\n[b](b.md)\n```\n[c](c.md)"), ["c.md"]);
    }

    #[test]
    fn footnotes_are_no_links() {
        assert_eq!(targets("[^1]: a note"), Vec::<String>::new());
    }

    #[test]
    fn a_link_knows_its_line() {
        assert_eq!(links("one\n\n[a](b)"), [Link { line: 3, target: "b".to_owned() }]);
    }

    #[test]
    fn anchors_are_made_as_sites_make_them() {
        let text = "# The Two Seams\n## `serve`, API & edge\n```\n# no heading\n```\n#no heading either\n# Setup\n# Setup\n";
        assert_eq!(anchors(text), ["the-two-seams", "serve-api--edge", "setup", "setup-1"]);
    }
}
