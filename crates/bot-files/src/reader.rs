//! Walks a TOML document by hand, so that every problem has its line and one pass finds them all.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{Problem, Problems};

/// A file being read, and what was found wrong with it so far.
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
    /// How the section is called in messages, such as `[picture]`.
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
                let (what, fix) = match error.message() {
                    "duplicate key" => (
                        "the key of this line is there twice".to_owned(),
                        "keep one, with everything in it".to_owned(),
                    ),
                    message => {
                        let excerpt = self.text.lines().nth(line - 1).unwrap_or_default().trim();
                        (
                            format!("this is not TOML: {}", one_line(message)),
                            format!("mend the line \"{excerpt}\""),
                        )
                    }
                };
                self.problem(line, what, fix);
                None
            }
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(crate) fn problem(&mut self, line: usize, what: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            what: what.into(),
            fix: fix.into(),
        });
    }

    pub(crate) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(crate) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.line);
        Problems(self.problems)
    }

    /// The whole file as a section, with the only keys it may have.
    pub(crate) fn root(&mut self, table: &'a Spanned<DeTable<'a>>, known: &[&str]) -> Section<'a> {
        let section = Section {
            table: table.get_ref(),
            line: 1,
            name: "the file",
        };
        self.refuse_unknown(section, known);
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
        self.refuse_unknown(section, known);
        Some(section)
    }

    /// A value as a section whose keys are the writer's own.
    pub(crate) fn table(&mut self, value: Value<'a>, name: &'static str) -> Option<Section<'a>> {
        let Some(table) = value.value.as_table() else {
            self.wrong_type(value, name, "a table");
            return None;
        };
        Some(Section {
            table,
            line: value.line,
            name,
        })
    }

    fn refuse_unknown(&mut self, section: Section<'a>, known: &[&str]) {
        for (key, value) in self.entries(section) {
            if !known.contains(&key) {
                let fix = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("remove it, or use one of {}", known.join(", ")),
                };
                self.problem(
                    value.line,
                    format!("{} has no key \"{key}\"", section.name),
                    fix,
                );
            }
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
            self.problem(
                section.line,
                format!("{} has no \"{key}\"", section.name),
                format!("add {key} = {example}"),
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
            self.wrong_type(value, key, &format!("a list of {of}"));
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

    /// A text with something in it.
    pub(crate) fn text(&mut self, value: Value<'a>, key: &str) -> Option<String> {
        match value.value.as_str() {
            Some(text) if text.trim().is_empty() => {
                self.problem(
                    value.line,
                    format!("{key} is empty"),
                    "write something, or remove it",
                );
                None
            }
            Some(text) => Some(text.trim().to_owned()),
            None => {
                self.wrong_type(value, key, "text in quotes");
                None
            }
        }
    }

    pub(crate) fn truth(&mut self, value: Value<'a>, key: &str) -> Option<bool> {
        let truth = value.value.as_bool();
        if truth.is_none() {
            self.wrong_type(value, key, "true or false");
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
            self.wrong_type(
                value,
                key,
                &format!("a whole number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    pub(crate) fn wrong_type(&mut self, value: Value<'a>, key: &str, wanted: &str) {
        let found = match value.value {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(number) => number.to_string(),
            other => format!("of the type {}", other.type_str()),
        };
        self.problem(
            value.line,
            format!("{key} is {found}"),
            format!("make it {wanted}"),
        );
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
