//! Keys as a keyboard sends them.

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// One key with what is held down with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    key: String,
    code: String,
    /// The number that Windows gives it, which is what pages see as `keyCode`.
    number: u32,
    /// What it types.
    text: String,
    modifiers: u32,
}

impl Key {
    /// A key by its name, such as `Tab`, `Shift+Tab` or `a`.
    pub(crate) fn named(name: &str) -> anyhow::Result<Key> {
        // The last character may be a plus itself.
        let split = name
            .char_indices()
            .rev()
            .skip(1)
            .find(|(_, character)| *character == '+');
        let (held, last) = match split {
            Some((at, _)) => (&name[..at], &name[at + 1..]),
            None => ("", name),
        };
        let mut modifiers = 0;
        for modifier in held.split('+').filter(|modifier| !modifier.is_empty()) {
            modifiers |= match modifier {
                "Alt" => 1,
                "Control" => 2,
                "Meta" => 4,
                "Shift" => 8,
                _ => bail!("no key is called {name}"),
            };
        }
        let (key, code, number, text) = match last {
            "Tab" => ("Tab", "Tab", 9, ""),
            "Enter" => ("Enter", "Enter", 13, "\r"),
            "Space" | " " => (" ", "Space", 32, " "),
            "Escape" => ("Escape", "Escape", 27, ""),
            "Backspace" => ("Backspace", "Backspace", 8, ""),
            "Delete" => ("Delete", "Delete", 46, ""),
            "PageUp" => ("PageUp", "PageUp", 33, ""),
            "PageDown" => ("PageDown", "PageDown", 34, ""),
            "End" => ("End", "End", 35, ""),
            "Home" => ("Home", "Home", 36, ""),
            "ArrowLeft" => ("ArrowLeft", "ArrowLeft", 37, ""),
            "ArrowUp" => ("ArrowUp", "ArrowUp", 38, ""),
            "ArrowRight" => ("ArrowRight", "ArrowRight", 39, ""),
            "ArrowDown" => ("ArrowDown", "ArrowDown", 40, ""),
            _ => {
                let mut characters = last.chars();
                let key = match (characters.next(), characters.next()) {
                    (Some(character), None) => Key::of(character),
                    _ => None,
                };
                let key = key.with_context(|| format!("no key is called {name}"))?;
                return Ok(key.with(modifiers));
            }
        };
        let key = Key {
            key: key.to_owned(),
            code: code.to_owned(),
            number,
            text: text.to_owned(),
            modifiers: 0,
        };
        Ok(key.with(modifiers))
    }

    /// The key of a character, if a keyboard has one.
    pub(crate) fn of(character: char) -> Option<Key> {
        let upper = character.to_ascii_uppercase();
        let (code, number) = match upper {
            'A'..='Z' => (format!("Key{upper}"), u32::from(upper)),
            '0'..='9' => (format!("Digit{upper}"), u32::from(upper)),
            ' ' => ("Space".to_owned(), 32),
            '\n' => return Key::named("Enter").ok(),
            _ if character.is_ascii_graphic() => (String::new(), 0),
            _ => return None,
        };
        Some(Key {
            key: character.to_string(),
            code,
            number,
            text: character.to_string(),
            modifiers: 0,
        })
    }

    /// Nothing is typed while another key than Shift is held.
    fn with(mut self, modifiers: u32) -> Key {
        self.modifiers = modifiers;
        if modifiers & !8 != 0 {
            self.text.clear();
        }
        self
    }

    /// What `Input.dispatchKeyEvent` takes, to press it and to let it go.
    pub(crate) fn events(&self) -> [Value; 2] {
        let event = |kind: &str, text: &str| {
            json!({
                "type": kind,
                "key": self.key,
                "code": self.code,
                "windowsVirtualKeyCode": self.number,
                "modifiers": self.modifiers,
                "text": text,
                "unmodifiedText": text,
            })
        };
        let down = if self.text.is_empty() {
            "rawKeyDown"
        } else {
            "keyDown"
        };
        [event(down, &self.text), event("keyUp", "")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_with_what_is_held() {
        let key = Key::named("Shift+Tab").unwrap();
        assert_eq!((key.key.as_str(), key.modifiers), ("Tab", 8));
        let key = Key::named("Control+Shift+a").unwrap();
        assert_eq!(
            (key.code.as_str(), key.modifiers, key.text.as_str()),
            ("KeyA", 10, "")
        );
        assert_eq!(Key::named("+").unwrap().text, "+");
        assert_eq!(Key::named("Shift++").unwrap().key, "+");
        for wrong in ["Shift+Tabb", "Shft+Tab", ""] {
            let error = Key::named(wrong).unwrap_err();
            assert_eq!(error.to_string(), format!("no key is called {wrong}"));
        }
    }
}
