//! Olin's policy files, as they were: Xe/olin, docs/policy.md.
//!
//! ```text
//! ## All comments require two hashes.
//! allow (
//!   https://mycoolsite.com
//!   random://
//! )
//! disallow https://mycoolsite.com/admin
//! ram-page-limit 128
//! gas-limit 33554432
//! ```

use std::fmt;

use crate::rules::{Effect, Policy, PolicyError, RULES_MAX};

/// Largest policy file.
pub const POLICY_FILE_BYTES_MAX: usize = 128 << 10;
/// Pages of memory where the file names none: 8 MiB.
pub const RAM_PAGES_DEFAULT: u32 = 128;
/// Instructions where the file names none.
pub const GAS_DEFAULT: u64 = 33_554_432;
/// Most pages that a memory has.
const RAM_PAGES_MAX: u32 = 65_536;

/// What a policy file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// Which URLs may be opened.
    pub policy: Policy,
    /// Memory, in pages of 64 KiB.
    pub ram_page_limit: u32,
    /// Instructions.
    pub gas_limit: u64,
}

/// Where a policy file is wrong, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PolicyFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line of a policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Larger than [`POLICY_FILE_BYTES_MAX`].
    #[error("the file is larger than {POLICY_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// A word that begins no line.
    #[error("`{0}` is none of allow, disallow, ram-page-limit and gas-limit")]
    UnknownWord(String),
    /// One hash.
    #[error("a comment begins with two hashes: `## like this`")]
    OneHash,
    /// A list within a list.
    #[error("a list cannot be within another; close the first with `)` on a line of its own")]
    Nested,
    /// A `)` that closes nothing.
    #[error("`)` closes nothing here")]
    NotOpen,
    /// A `(` that nothing closes.
    #[error("this list is not closed; write `)` on a line of its own after its last rule")]
    NotClosed,
    /// A word without what it needs.
    #[error("`{0}` needs a value after it")]
    NoValue(&'static str),
    /// Several rules on a line.
    #[error("one rule a line; a URL has no spaces")]
    Spaces,
    /// Not a number, or out of range.
    #[error("`{word} {value}`: the value is a whole number from 0 to {max}")]
    Number {
        /// The limit's name.
        word: &'static str,
        /// What was written.
        value: String,
        /// The largest that can be.
        max: u64,
    },
    /// A rule that cannot be used.
    #[error(transparent)]
    Rule(#[from] PolicyError),
}

impl Default for PolicyFile {
    fn default() -> PolicyFile {
        PolicyFile { policy: Policy::default(), ram_page_limit: RAM_PAGES_DEFAULT, gas_limit: GAS_DEFAULT }
    }
}

impl PolicyFile {
    /// Reads a policy file. As in Olin, lists of one kind add up, the last of two equal limits counts, and a
    /// single rule may follow its word without parentheses.
    ///
    /// # Errors
    /// The first line that is wrong, and what is wrong there.
    pub fn parse(text: &str) -> Result<PolicyFile, PolicyFileError> {
        if text.len() > POLICY_FILE_BYTES_MAX {
            return Err(PolicyFileError { line: 1, problem: Problem::TooLarge });
        }
        let mut reader = Reader { file: PolicyFile::default(), open: None };
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            reader
                .line(line_number, line)
                .map_err(|problem| PolicyFileError { line: line_number, problem })?;
        }
        match reader.open {
            None => Ok(reader.file),
            Some((_, line)) => Err(PolicyFileError { line, problem: Problem::NotClosed }),
        }
    }
}

struct Reader {
    file: PolicyFile,
    /// The list that is being read, and the line where it began.
    open: Option<(Effect, usize)>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Problem> {
        let line = without_comment(line)?;
        if line.is_empty() {
            return Ok(());
        }
        if let Some((effect, _)) = self.open {
            return match line {
                ")" => {
                    self.open = None;
                    Ok(())
                }
                _ if begins_list(line) => Err(Problem::Nested),
                _ => self.rule(effect, line),
            };
        }
        let (word, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim();
        match (word, value) {
            (")", _) => Err(Problem::NotOpen),
            ("allow", _) => self.rules(Effect::Allow, value, number),
            ("disallow", _) => self.rules(Effect::Disallow, value, number),
            ("allow(", "") => self.rules(Effect::Allow, "(", number),
            ("disallow(", "") => self.rules(Effect::Disallow, "(", number),
            ("ram-page-limit", _) => {
                let pages = whole("ram-page-limit", value, u64::from(RAM_PAGES_MAX))?;
                self.file.ram_page_limit = u32::try_from(pages).unwrap_or(RAM_PAGES_MAX);
                Ok(())
            }
            ("gas-limit", _) => {
                self.file.gas_limit = whole("gas-limit", value, u64::MAX)?;
                Ok(())
            }
            _ => Err(Problem::UnknownWord(word.to_owned())),
        }
    }

    /// What follows `allow` or `disallow`.
    fn rules(&mut self, effect: Effect, value: &str, line: usize) -> Result<(), Problem> {
        let word = if effect == Effect::Allow { "allow" } else { "disallow" };
        match value {
            "" => Err(Problem::NoValue(word)),
            "(" => {
                self.open = Some((effect, line));
                Ok(())
            }
            "()" | "( )" => Ok(()),
            one => {
                let inner = one.strip_prefix("( ").and_then(|rest| rest.strip_suffix(" )"));
                self.rule(effect, inner.unwrap_or(one).trim())
            }
        }
    }

    fn rule(&mut self, effect: Effect, rule: &str) -> Result<(), Problem> {
        if rule.contains(char::is_whitespace) {
            return Err(Problem::Spaces);
        }
        Ok(self.file.policy.push(effect, rule)?)
    }
}

/// The line without its comment and the space around it. A comment begins where a word could.
fn without_comment(line: &str) -> Result<&str, Problem> {
    let mut at_word = true;
    for (index, character) in line.char_indices() {
        let rest = line.get(index..).unwrap_or_default();
        if at_word && rest.starts_with("##") {
            return Ok(line.get(..index).unwrap_or_default().trim());
        }
        if at_word && character == '#' {
            return Err(Problem::OneHash);
        }
        at_word = character.is_whitespace();
    }
    Ok(line.trim())
}

fn begins_list(line: &str) -> bool {
    let word = line.strip_suffix('(').map(str::trim_end);
    matches!(word, Some("allow" | "disallow"))
}

fn whole(word: &'static str, value: &str, max: u64) -> Result<u64, Problem> {
    if value.is_empty() {
        return Err(Problem::NoValue(word));
    }
    let number = value.parse::<u64>().ok().filter(|number| *number <= max);
    number.ok_or_else(|| Problem::Number { word, value: value.to_owned(), max })
}

impl fmt::Display for PolicyFile {
    /// The file's text, which [`PolicyFile::parse`] reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, rules) in [("allow", self.policy.allow()), ("disallow", self.policy.disallow())] {
            if rules.is_empty() {
                continue;
            }
            writeln!(f, "{word} (")?;
            for rule in rules.iter().take(RULES_MAX) {
                writeln!(f, "  {rule}")?;
            }
            writeln!(f, ")\n")?;
        }
        writeln!(f, "ram-page-limit {}", self.ram_page_limit)?;
        writeln!(f, "gas-limit {}", self.gas_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    const DOCUMENTED: &str = "## This is a comment. All comments require two hashes.\n\n\
        allow (\n  https://mycoolsite.com\n  https://discordapp.com/api/webhooks ## ours\n  random://\n\n)\n\
        disallow (\n  ## nobody\n\thttps://mycoolsite.com/admin\n)\n\nram-page-limit 16\r\ngas-limit 1048576";

    fn rules(patterns: &[crate::UrlPattern]) -> Vec<&str> {
        patterns.iter().map(crate::UrlPattern::as_str).collect()
    }

    #[test]
    fn a_file_as_documented_is_read() {
        let file = PolicyFile::parse(DOCUMENTED).unwrap();
        assert_eq!(
            rules(file.policy.allow()),
            ["https://mycoolsite.com", "https://discordapp.com/api/webhooks", "random://"]
        );
        assert_eq!(rules(file.policy.disallow()), ["https://mycoolsite.com/admin"]);
        assert_eq!((file.ram_page_limit, file.gas_limit), (16, 1_048_576));
    }

    #[test]
    fn an_empty_file_has_olins_limits_and_permits_nothing() {
        let file = PolicyFile::parse("\n## nothing\n").unwrap();
        assert_eq!(file, PolicyFile::default());
        assert_eq!((file.ram_page_limit, file.gas_limit), (128, 33_554_432));
        assert!(file.policy.check(&Target::parse("random://").unwrap()).is_err());
    }

    #[test]
    fn short_forms_are_read_and_lists_add_up() {
        let text = "allow ^https://xena.greedo.xeserv.us\nallow (a|b)://x\nallow ( c:// )\nallow ()\nallow(\nd://\n)\n\
            disallow x\ngas-limit 1\ngas-limit 2";
        let file = PolicyFile::parse(text).unwrap();
        assert_eq!(
            rules(file.policy.allow()),
            ["^https://xena.greedo.xeserv.us", "(a|b)://x", "c://", "d://"]
        );
        assert_eq!(file.gas_limit, 2);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, part) in [
            ("allow (\n a://\n", 1, "not closed"),
            ("\n\nalow (\n)", 3, "`alow`"),
            ("allow (\n a b\n)", 2, "one rule a line"),
            ("allow (\n a(\n)", 2, "unclosed group"),
            ("allow (\ndisallow (\n)", 2, "within another"),
            (")", 1, "closes nothing"),
            ("# one", 1, "two hashes"),
            ("allow", 1, "needs a value"),
            ("gas-limit", 1, "needs a value"),
            ("gas-limit -1", 1, "whole number"),
            ("ram-page-limit 65537", 1, "from 0 to 65536"),
            ("gas-limit many", 1, "`gas-limit many`"),
        ] {
            let error = PolicyFile::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.to_string().contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn size_and_number_of_rules_are_bounded() {
        let many: String = (0..=RULES_MAX).map(|n| format!("allow https://{n}.example\n")).collect();
        let error = PolicyFile::parse(&many).unwrap_err();
        assert_eq!((error.line, error.problem), (65, Problem::Rule(PolicyError::TooManyRules)));
        let large = "## comment\n".repeat(POLICY_FILE_BYTES_MAX / 11 + 1);
        assert_eq!(PolicyFile::parse(&large).unwrap_err().problem, Problem::TooLarge);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let file = PolicyFile::parse(DOCUMENTED).unwrap();
        assert_eq!(PolicyFile::parse(&file.to_string()).unwrap(), file);
        let empty = PolicyFile::default();
        assert_eq!(PolicyFile::parse(&empty.to_string()).unwrap(), empty);
    }

    #[test]
    fn a_hash_within_a_rule_is_no_comment() {
        let file = PolicyFile::parse("allow https://a.example/a##b").unwrap();
        assert_eq!(rules(file.policy.allow()), ["https://a.example/a##b"]);
    }
}
