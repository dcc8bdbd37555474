//! Keys as a keyboard sends them.

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    key: String,
    code: String,
    /// Pages see it as `keyCode`.
    number: u32,
    /// What it types.
    text: String,
}

impl Key {
    /// A key without a character of its own, such as `Tab`.
    pub(super) fn named(name: &str) -> Option<Key> {
        let (number, text) = match name {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            _ => return None,
        };
        Some(Key {
            key: name.to_owned(),
            code: name.to_owned(),
            number,
            text: text.to_owned(),
        })
    }

    /// The key of a character, if a keyboard has one.
    pub(super) fn of(character: char) -> Option<Key> {
        let upper = character.to_ascii_uppercase();
        let (code, number) = match upper {
            'A'..='Z' => (format!("Key{upper}"), u32::from(upper)),
            '0'..='9' => (format!("Digit{upper}"), u32::from(upper)),
            ' ' => ("Space".to_owned(), 32),
            '\n' => return Key::named("Enter"),
            _ if character.is_ascii_graphic() => (String::new(), 0),
            _ => return None,
        };
        Some(Key {
            key: character.to_string(),
            code,
            number,
            text: character.to_string(),
        })
    }

    /// The parameters of `Input.dispatchKeyEvent` that press the key and release it.
    pub(super) fn events(&self) -> [Value; 2] {
        let event = |kind: &str, text: &str| {
            json!({
                "type": kind,
                "key": self.key,
                "code": self.code,
                "windowsVirtualKeyCode": self.number,
                "text": text,
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
