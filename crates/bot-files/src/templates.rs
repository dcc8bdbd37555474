//! Texts with placeholders, such as `Happy {name}!`: how they are read and filled.

use crate::toml_reader::{Reader, Value, nearest};

/// The placeholders of a list of templates.
#[derive(Clone, Copy)]
pub(crate) struct Placeholders {
    /// Those that a template may have.
    known: &'static [&'static str],
    /// Those that every template must have.
    needed: &'static [&'static str],
}

impl Placeholders {
    pub(crate) const NONE: Placeholders = Placeholders::new(&[], &[]);

    pub(crate) const fn new(
        known: &'static [&'static str],
        needed: &'static [&'static str],
    ) -> Placeholders {
        Placeholders { known, needed }
    }
}

/// Puts values into a template: `{key}` becomes the value, anything else stays.
///
/// A value is never filled in turn, so a name with braces in it cannot pull in another value.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        rest = &rest[open..];
        let value = rest.find('}').and_then(|close| {
            let (_, value) = values.iter().find(|(key, _)| *key == &rest[1..close])?;
            Some((close, value))
        });
        let taken = match value {
            Some((close, value)) => {
                filled.push_str(value);
                close + 1
            }
            None => {
                filled.push('{');
                1
            }
        };
        rest = &rest[taken..];
    }
    filled + rest
}

/// What an observance is about: its name without "National", "World" and the like, and without "Day".
pub fn subject(name: &str) -> &str {
    let mut subject = name.trim();
    for prefix in [
        "National ",
        "International ",
        "World ",
        "Global ",
        "Universal ",
    ] {
        subject = subject.strip_prefix(prefix).unwrap_or(subject);
    }
    let subject = subject.strip_suffix(" Day").unwrap_or(subject);
    if subject.is_empty() { name } else { subject }
}

/// A list of templates that is not empty, each with the placeholders that it may and must have.
pub(crate) fn read<'a>(
    reader: &mut Reader<'a>,
    value: Value<'a>,
    key: &str,
    placeholders: Placeholders,
) -> Vec<String> {
    let items = reader.array(value, key, "texts in quotes");
    if items.as_ref().is_some_and(Vec::is_empty) {
        reader.problem(
            value.line,
            format!("`{key}` is empty; add at least one text"),
        );
    }
    let mut texts: Vec<String> = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(text) = reader.text(item, key) else {
            continue;
        };
        let mut problems = wrong_placeholders(key, &text, placeholders);
        if doubles_the_name(&text) {
            problems.push("the template has \"National\" or \"Day\" beside {name}; remove it, since {name} is a whole name such as National Pumpkin Day".to_owned());
        }
        if texts.contains(&text) {
            problems.push("the text is listed twice; remove one of the two".to_owned());
        }
        for problem in problems {
            reader.problem(item.line, problem);
        }
        texts.push(text);
    }
    texts
}

fn wrong_placeholders(key: &str, text: &str, placeholders: Placeholders) -> Vec<String> {
    let Placeholders { known, needed } = placeholders;
    let used = text
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap_or_default());
    let unknown = used.filter(|name| !known.contains(name)).map(|name| {
        let fix = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {{{near}}}?"),
            None if known.is_empty() => "remove the braces".to_owned(),
            None => format!("use {{{}}}", known.join("} or {")),
        };
        format!("`{key}` has no placeholder {{{name}}}; {fix}")
    });
    let missing = needed
        .iter()
        .filter(|name| !text.contains(&format!("{{{name}}}")))
        .map(|name| format!("the template has no {{{name}}}; add it"));
    unknown.chain(missing).collect()
}

fn doubles_the_name(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "national {name}",
        "international {name}",
        "world {name}",
        "{name} day",
    ]
    .iter()
    .any(|double| lower.contains(double))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_with_values_and_what_it_does_not_know_stays() {
        let values = [("name", "{subject} Day"), ("subject", "bats")];
        for (template, filled) in [
            ("Happy {name}!", "Happy {subject} Day!"),
            ("{subject}{subject}", "batsbats"),
            ("{unknown} {subject} {", "{unknown} bats {"),
            ("{{subject}}", "{bats}"),
            ("no placeholder", "no placeholder"),
            ("", ""),
        ] {
            assert_eq!(fill(template, &values), filled, "{template}");
        }
    }

    #[test]
    fn a_subject_is_the_name_without_what_all_names_have() {
        for (name, of) in [
            ("National Candy Corn Day", "Candy Corn"),
            ("World Farm Animals Day", "Farm Animals"),
            ("Halloween", "Halloween"),
            ("Friday the 13th", "Friday the 13th"),
            ("World Day", "Day"),
            ("International World Day", "Day"),
        ] {
            assert_eq!(subject(name), of, "{name}");
        }
    }
}
