//! What X allows in a tweet: weighted length, links, mentions, cashtags, alt text.
//!
//! The rules are those that X publishes as version 3 of the twitter-text configuration.
//! Where X's parser and this one could disagree, this one errs on the side of "this is a link", so that a caption is
//! rejected here instead of charged as a link there.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

/// The weighted length that a tweet may have.
pub const MAX_WEIGHTED_LENGTH: usize = 280;

/// The number of characters that an alt text may have.
pub const MAX_ALT_TEXT: usize = 1000;

/// The weighted length of a link of any length, because X shortens it.
const LINK_LENGTH: usize = 23;

/// Why X, or this bot, rejects a caption.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptionProblem {
    /// No text.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_WEIGHTED_LENGTH`].
    #[error("it has a weighted length of {length}, and X accepts at most 280")]
    TooLong {
        /// The weighted length it has.
        length: usize,
    },
    /// A link, with or without a scheme; X charges thirteen times as much for such a post.
    #[error("it contains the link \"{link}\"")]
    Link {
        /// The link.
        link: String,
    },
    /// The text mentions an account, which automated accounts must not do unasked.
    #[error("it mentions \"{mention}\"")]
    Mention {
        /// The mention, with its `@`.
        mention: String,
    },
    /// X accepts one cashtag per post.
    #[error("it contains a second cashtag, \"{cashtag}\"")]
    SecondCashtag {
        /// The second one, with its `$`.
        cashtag: String,
    },
}

/// Why X rejects an alt text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AltTextProblem {
    /// No text.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_ALT_TEXT`].
    #[error("it has {length} characters, and X accepts at most 1000")]
    TooLong {
        /// The characters it has.
        length: usize,
    },
}

/// Checks that a caption can be posted as it is.
pub fn check_caption(caption: &str) -> Result<(), CaptionProblem> {
    if caption.trim().is_empty() {
        return Err(CaptionProblem::Empty);
    }
    let text: String = caption.nfc().collect();
    if let Some(range) = links(&text).into_iter().next() {
        return Err(CaptionProblem::Link {
            link: text[range].to_owned(),
        });
    }
    // X does not link an unknown top-level domain or another scheme, but neither belongs in a caption.
    if let Some(word) = text
        .split_whitespace()
        .find(|word| word.contains("://") || word.to_ascii_lowercase().starts_with("www."))
    {
        return Err(CaptionProblem::Link {
            link: word.to_owned(),
        });
    }
    if let Some(mention) = mentions(&text).into_iter().next() {
        return Err(CaptionProblem::Mention { mention });
    }
    if let Some(cashtag) = cashtags(&text).into_iter().nth(1) {
        return Err(CaptionProblem::SecondCashtag { cashtag });
    }
    match weighted_length(&text) {
        length if length > MAX_WEIGHTED_LENGTH => Err(CaptionProblem::TooLong { length }),
        _ => Ok(()),
    }
}

/// Checks that X accepts an alt text. Counted in UTF-16 units, the stricter reading of X's "characters".
pub fn check_alt_text(alt_text: &str) -> Result<(), AltTextProblem> {
    if alt_text.trim().is_empty() {
        return Err(AltTextProblem::Empty);
    }
    match alt_text.encode_utf16().count() {
        length if length > MAX_ALT_TEXT => Err(AltTextProblem::TooLong { length }),
        _ => Ok(()),
    }
}

/// The length of a tweet as X counts it: in NFC, links 23, emoji 2, most Latin characters 1, others 2.
pub fn weighted_length(text: &str) -> usize {
    let text: String = text.nfc().collect();
    let mut length = 0;
    let mut start = 0;
    for link in links(&text) {
        length += plain_length(&text[start..link.start]) + LINK_LENGTH;
        start = link.end;
    }
    length + plain_length(&text[start..])
}

/// The links of a text, as byte ranges of its NFC form, in order.
///
/// A scheme is not needed: X treats `example.com` as a link.
/// `D.N.A.` and `WD-40` are not links, since they have no top-level domain.
fn links(text: &str) -> Vec<Range<usize>> {
    let mut links = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(end) = link_at(text, at) {
            links.push(at..end);
            at = end;
        } else {
            at += c.len_utf8();
        }
    }
    links
}

/// The end of the link that begins at this byte, if one does.
fn link_at(text: &str, at: usize) -> Option<usize> {
    let before = text[..at].chars().next_back();
    // After these, what follows belongs to the word before it: an address, a hashtag, the middle of a word or of a host.
    if before
        .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '＠' | '$' | '#' | '＃'))
    {
        return None;
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.as_bytes()[at..].len() >= scheme.len()
            && text.as_bytes()[at..at + scheme.len()].eq_ignore_ascii_case(scheme.as_bytes())
    });
    if scheme.is_none() && before.is_some_and(|c| matches!(c, '-' | '_' | '.' | '/')) {
        return None;
    }
    let host = at + scheme.map_or(0, str::len);
    let mut end = host + host_length(&text[host..], scheme.is_some())?;
    let rest = &text[end..];
    if let Some(port) = rest.strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            end += 1 + digits;
        }
    }
    if text[end..].starts_with(['/', '?']) {
        end += path_length(&text[end..]);
    }
    Some(end)
}

/// The bytes of the host at the start of this text: labels and dots up to the last known top-level domain.
fn host_length(text: &str, has_scheme: bool) -> Option<usize> {
    let in_label = |c: char| {
        c.is_ascii_alphanumeric()
            || c == '-'
            || c == '_'
            || (has_scheme && !c.is_ascii() && c.is_alphanumeric())
    };
    let run: usize = text
        .chars()
        .take_while(|&c| in_label(c) || c == '.')
        .map(char::len_utf8)
        .sum();
    let run = &text[..run];
    let mut found = None;
    let mut start = 0;
    for (i, label) in run.split('.').enumerate() {
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            break;
        }
        let end = start + label.len();
        // A top-level domain that `@` follows belongs to a mail address.
        if i > 0 && tld::exist(&label.to_lowercase()) && !text[end..].starts_with('@') {
            found = Some(end);
        }
        start = end + 1;
    }
    found
}

/// The bytes of the path and query at the start of this text, without the punctuation of the sentence around it.
fn path_length(text: &str) -> usize {
    let run: usize = text
        .chars()
        .take_while(|&c| c.is_alphanumeric() || "/?!*';:=+,.$%#[]-_~@|&()".contains(c))
        .map(char::len_utf8)
        .sum();
    let mut path = &text[..run];
    while let Some(last) = path.chars().next_back() {
        let balanced = last == ')' && path.matches('(').count() >= path.matches(')').count();
        if last.is_alphanumeric() || "=_#/+-&".contains(last) || balanced {
            break;
        }
        path = &path[..path.len() - last.len_utf8()];
    }
    path.len()
}

/// The mentions of a text, each with its `@`.
fn mentions(text: &str) -> Vec<String> {
    tags(
        text,
        &['@', '＠'],
        |before| !(before.is_alphanumeric() || "_!#$%&*@＠".contains(before)),
        |c| c.is_ascii_alphanumeric() || c == '_',
    )
}

/// The cashtags of a text, each with its `$`: up to six letters after a space or at the start.
fn cashtags(text: &str) -> Vec<String> {
    tags(text, &['$'], char::is_whitespace, |c| {
        c.is_ascii_alphabetic()
    })
    .into_iter()
    .filter(|tag| tag.len() <= 7)
    .collect()
}

/// The words that begin with one of these signs, where the character before it may precede a tag.
fn tags(
    text: &str,
    signs: &[char],
    may_precede: impl Fn(char) -> bool,
    in_tag: impl Fn(char) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for (at, sign) in text.match_indices(signs) {
        let name: String = text[at + sign.len()..]
            .chars()
            .take_while(|&c| in_tag(c))
            .collect();
        if !name.is_empty() && text[..at].chars().next_back().is_none_or(&may_precede) {
            found.push(format!("{sign}{name}"));
        }
    }
    found
}

/// The weighted length of a text without links.
fn plain_length(text: &str) -> usize {
    text.graphemes(true)
        .map(|cluster| {
            if is_emoji(cluster) {
                2
            } else {
                cluster.chars().map(weight).sum()
            }
        })
        .sum()
}

/// The weight of one character.
fn weight(c: char) -> usize {
    match u32::from(c) {
        0..=0x10FF | 0x2000..=0x200D | 0x2010..=0x201F | 0x2032..=0x2037 => 1,
        _ => 2,
    }
}

/// Whether a grapheme cluster is one emoji: a sequence with a variation selector, skin tone or joiner, a flag, a keycap.
fn is_emoji(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    match chars.next() {
        // The weight of a single character is right already.
        None => false,
        // The text selector turns the emoji into text.
        Some('\u{FE0E}') => false,
        Some('\u{20E3}') => first.is_ascii_digit() || first == '#' || first == '*',
        Some('\u{FE0F}') if first.is_ascii() => cluster.ends_with('\u{20E3}'),
        Some(second) => {
            first.is_emoji_char()
                && !first.is_ascii()
                && (second.is_emoji_char_or_emoji_component() || second == '\u{FE0F}')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_those_x_publishes() {
        // From X's conformance tests and its page on counting characters.
        for (text, length) in [
            ("", 0),
            ("This is a test.", 15),
            ("Hello, world! 👋", 16),
            ("http://test.com", 23),
            ("https://test.com", 23),
            ("test.com", 23),
            (
                "Test https://test.com test https://test.com test.com test",
                86,
            ),
            ("저찀쯿쿿", 8),
            ("H🐱☺", 5),
            ("A lie géts halfway", 18),
            // A decomposed é is one character in NFC.
            ("cafe\u{301}", 4),
            ("👨‍👩‍👧‍👦", 2),
            ("👩🏽‍🚀", 2),
            ("🙋🏽", 2),
            ("🇺🇸", 2),
            ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
            ("1️⃣", 2),
            ("❤️", 2),
            ("🎃👻🦇", 6),
            ("“quoted” — it’s…", 17),
        ] {
            assert_eq!(weighted_length(text), length, "{text:?}");
        }
    }

    #[test]
    fn a_link_counts_23_with_all_that_belongs_to_it() {
        for text in [
            "example.com",
            "www.example.com",
            "t.co",
            "foo.co.jp",
            "HTTPS://www.ExaMPLE.COM/index.html",
            "example.com/path/to/resource?search=foo&lang=en",
            "http://example.com:8080/login.php",
            "http://en.wikipedia.org/wiki/Primer_(film)",
            "http://test_underscore.twitter.com",
            "http://müller.de",
        ] {
            assert_eq!(weighted_length(text), 23, "{text}");
            assert_eq!(
                weighted_length(&format!("See {text}, or not.")),
                23 + 13,
                "{text}"
            );
        }
    }

    #[test]
    fn abbreviations_and_numbers_are_not_links() {
        for text in [
            "D.N.A.",
            "D.N.A. Day",
            "WD-40",
            "D.B. Cooper Day",
            "U.S. Marine",
            "at 8 a.m. today",
            "3.14",
            "etc.",
            "...boo",
            "5.30pm",
            "St. Nick",
            "J.R.R. Tolkien",
            "foo@bar.com",
            "#spooky.",
            "Boo...hoo",
            "Mr.Bones",
            "$1.50",
        ] {
            assert_eq!(links(text), [], "{text}");
        }
    }

    #[test]
    fn captions_that_x_accepts_pass() {
        for caption in [
            "Happy National Pumpkin Day! 🎃 #SpookyDays",
            "Costs $5 and one $SOUL",
            "D.N.A. Day: it is alive",
            "Meet me @ midnight",
            &"a".repeat(280),
            &"👻".repeat(140),
        ] {
            assert_eq!(check_caption(caption), Ok(()), "{caption}");
        }
    }

    #[test]
    fn captions_that_cannot_be_posted_are_rejected_with_the_reason() {
        for (caption, reason) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            (
                &*"a".repeat(281),
                "it has a weighted length of 281, and X accepts at most 280",
            ),
            (
                &*"👻".repeat(141),
                "it has a weighted length of 282, and X accepts at most 280",
            ),
            (
                "Boo! https://example.com/x.",
                "it contains the link \"https://example.com/x\"",
            ),
            ("Boo! example.com", "it contains the link \"example.com\""),
            ("Boo!(example.com)", "it contains the link \"example.com\""),
            ("Boo! ftp://ghost", "it contains the link \"ftp://ghost\""),
            (
                "Boo! http://localhost",
                "it contains the link \"http://localhost\"",
            ),
            ("www.boo", "it contains the link \"www.boo\""),
            ("Thanks, @ghost!", "it mentions \"@ghost\""),
            ("@ghost", "it mentions \"@ghost\""),
            ("(@ghost)", "it mentions \"@ghost\""),
            (
                "Buy $BOO and $SOUL",
                "it contains a second cashtag, \"$SOUL\"",
            ),
        ] {
            assert_eq!(
                check_caption(caption).unwrap_err().to_string(),
                reason,
                "{caption}"
            );
        }
    }

    #[test]
    fn alt_text_has_1_to_1000_characters() {
        assert_eq!(check_alt_text("A ghost."), Ok(()));
        assert_eq!(check_alt_text(&"é".repeat(1000)), Ok(()));
        assert_eq!(check_alt_text(" "), Err(AltTextProblem::Empty));
        assert_eq!(
            check_alt_text(&"é".repeat(1001)),
            Err(AltTextProblem::TooLong { length: 1001 })
        );
    }

    proptest! {
        #[test]
        fn any_text_is_counted_without_a_panic(text in "\\PC{0,60}") {
            let length = weighted_length(&text);
            prop_assert!(length <= 2 * text.nfc().count() + 23 * text.matches('.').count());
            let _ = check_caption(&text);
        }

        #[test]
        fn the_order_of_composition_does_not_matter(text in "[a-zé\u{300}-\u{308} .👻🏽]{0,40}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(weighted_length(&text), weighted_length(&decomposed));
        }

        #[test]
        fn words_add_up(left in "[a-z ]{0,40}", right in "[a-z👻 ]{0,40}") {
            prop_assert_eq!(weighted_length(&left) + 1 + weighted_length(&right), weighted_length(&format!("{left} {right}")));
        }
    }
}
