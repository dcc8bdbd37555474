//! Reads a TOML document value by value, so that every problem has its line and one pass finds them all.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{Problem, Problems};

/// The name of the section that is the whole file.
const FILE: &str = "the file";

/// A file, and the problems found in it so far.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    problems: Vec<Problem>,
}

/// A table of the file, with the keys that may be in it.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// Where to point when a key is missing.
    pub(crate) line: usize,
    /// The section's name in messages, such as `[picture]`.
    name: &'static str,
}

/// A value with its line.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) line: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Reader<'a> {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Reader {
            file,
            text,
            lines: std::iter::once(0).chain(breaks).collect(),
            problems: Vec::new(),
        }
    }

    /// Parses the text; a syntax error is the one problem that hides all others.
    pub(crate) fn parse(&mut self) -> Option<Spanned<DeTable<'a>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let line = error.span().map_or(1, |span| self.line(span.start));
                if error.message() == "duplicate key" {
                    self.problem(line, "this key is set twice; keep one of the two");
                } else {
                    let excerpt = self.text.lines().nth(line - 1).unwrap_or_default().trim();
                    let message = one_line(error.message());
                    self.problem(
                        line,
                        format!("invalid TOML: {message}; fix the line `{excerpt}`"),
                    );
                }
                None
            }
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// Records a problem: what is wrong, then what to do.
    pub(crate) fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        });
    }

    pub(crate) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(crate) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.line);
        Problems(self.problems)
    }

    /// The whole file as a section, with the only keys it may have, and the former names of some of them.
    pub(crate) fn root(
        &mut self,
        table: &'a Spanned<DeTable<'a>>,
        known: &[&str],
        renamed: &[(&str, &str)],
    ) -> Section<'a> {
        let section = Section {
            table: table.get_ref(),
            line: 1,
            name: FILE,
        };
        for (old, new) in renamed {
            if let Some(value) = self.get(section, old) {
                let message = format!("`[{old}]` is now called `[{new}]`; rename the section");
                self.problem(value.line, message);
            }
        }
        let former: Vec<&str> = renamed.iter().map(|(old, _)| *old).collect();
        self.refuse_unknown(section, known, &former);
        section
    }

    /// A value as a section, with the only keys it may have.
    pub(crate) fn section(
        &mut self,
        value: Value<'a>,
        name: &'static str,
        known: &[&str],
    ) -> Option<Section<'a>> {
        let section = self.table(value, name)?;
        self.refuse_unknown(section, known, &[]);
        Some(section)
    }

    /// A value as a section with any keys.
    pub(crate) fn table(&mut self, value: Value<'a>, name: &'static str) -> Option<Section<'a>> {
        let Some(table) = value.value.as_table() else {
            self.must_be(value, name, "a table");
            return None;
        };
        Some(Section {
            table,
            line: value.line,
            name,
        })
    }

    fn refuse_unknown(&mut self, section: Section<'a>, known: &[&str], former: &[&str]) {
        for (key, value) in self.entries(section) {
            if known.contains(&key) || former.contains(&key) {
                continue;
            }
            let fix = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it, or use one of {}", known.join(", ")),
            };
            let place = section.place();
            self.problem(value.line, format!("unknown key `{key}`{place}; {fix}"));
        }
    }

    /// The keys and values of a section in the order of the file; the line is the key's.
    pub(crate) fn entries(&self, section: Section<'a>) -> Vec<(&'a str, Value<'a>)> {
        let mut entries: Vec<_> = section.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                (
                    key.get_ref().as_ref(),
                    Value {
                        value: value.get_ref(),
                        line: self.line(key.span().start),
                    },
                )
            })
            .collect()
    }

    pub(crate) fn get(&self, section: Section<'a>, key: &str) -> Option<Value<'a>> {
        let (key, value) = section.table.get_key_value(key)?;
        Some(Value {
            value: value.get_ref(),
            line: self.line(key.span().start),
        })
    }

    /// A value that must be there.
    pub(crate) fn require(
        &mut self,
        section: Section<'a>,
        key: &str,
        example: &str,
    ) -> Option<Value<'a>> {
        let value = self.get(section, key);
        if value.is_none() {
            let place = section.place();
            self.problem(
                section.line,
                format!("`{key}` is missing{place}; add `{key} = {example}`"),
            );
        }
        value
    }

    /// The values of an array, each with its own line.
    pub(crate) fn array(
        &mut self,
        value: Value<'a>,
        key: &str,
        of: &str,
    ) -> Option<Vec<Value<'a>>> {
        let Some(array) = value.value.as_array() else {
            self.must_be(value, key, &format!("a list of {of}"));
            return None;
        };
        Some(
            array
                .iter()
                .map(|item| Value {
                    value: item.get_ref(),
                    line: self.line(item.span().start),
                })
                .collect(),
        )
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, value: Value<'a>, name: &str) -> Option<String> {
        match value.value.as_str() {
            Some(text) if text.trim().is_empty() => {
                let message = format!("{} is empty; write a text, or remove it", label(name));
                self.problem(value.line, message);
                None
            }
            Some(text) => Some(text.trim().to_owned()),
            None => {
                self.must_be(value, name, "text in quotes");
                None
            }
        }
    }

    pub(crate) fn truth(&mut self, value: Value<'a>, key: &str) -> Option<bool> {
        let truth = value.value.as_bool();
        if truth.is_none() {
            self.must_be(value, key, "true or false");
        }
        truth
    }

    /// A whole number in a range.
    pub(crate) fn number(
        &mut self,
        value: Value<'a>,
        key: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = value
            .value
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            self.must_be(
                value,
                key,
                &format!("a whole number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    /// Records that a value is not what it must be.
    pub(crate) fn must_be(&mut self, value: Value<'a>, name: &str, wanted: &str) {
        let got = match value.value {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Array(_) => "an array".to_owned(),
            other => format!("a {}", other.type_str()),
        };
        let message = format!("{} must be {wanted} (got {got})", label(name));
        self.problem(value.line, message);
    }
}

impl Section<'_> {
    /// Where a key of this section is, for a message; nothing for a key of the file itself.
    fn place(&self) -> String {
        match self.name {
            FILE => String::new(),
            name => format!(" in {name}"),
        }
    }
}

/// A key in backticks; a description such as `a weekday` as it is.
fn label(name: &str) -> String {
    match name.contains(' ') {
        true => name.to_owned(),
        false => format!("`{name}`"),
    }
}

/// The candidate that the word was most likely meant to be.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
