//! What OpenAI and X charge.

use crate::Micros;

/// What X charges for a post without a URL and for its alt text
/// ([pricing](https://docs.x.com/x-api/getting-started/pricing), 2026-08-13).
pub const POST: Micros = Micros(15_000 + 5_000);

/// What X charges for deleting a post
/// ([pricing](https://docs.x.com/x-api/getting-started/pricing), 2026-08-13).
pub const DELETION: Micros = Micros(10_000);

/// What OpenAI charges for a picture, in US dollars: $5 for a million tokens of text, and $30 for a million tokens of
/// a picture, with gpt-image-2, 2.5 and 2.6 ([models](https://developers.openai.com/api/docs/models), 2026-11).
pub fn picture_usd(input_tokens: u64, output_tokens: u64) -> f64 {
    (input_tokens as f64 * 5.0 + output_tokens as f64 * 30.0) / 1_000_000.0
}

/// The most that a picture can cost, in US dollars: what is reserved for it, and what counts if the cost is unknown.
///
/// `size` is such as `1024x1024` or `auto`; `quality` such as `medium` or `auto`.
/// Low and medium are four times what was seen of gpt-image-2.5-flare at 1024x1024, since 2.6 takes three to four
/// times as many tokens there; the others are what was seen of it, and a tenth more (2026-11). The cost grows with the
/// number of pixels, and a token is at least a byte of the prompt.
pub fn max_picture_usd(size: &str, quality: &str, prompt: &str) -> f64 {
    let pixels = match size.split_once('x') {
        Some((width, height)) => {
            let side = |side: &str| side.parse().unwrap_or(3840.0_f64);
            side(width) * side(height)
        }
        // The largest picture that `auto` returns.
        None => 1536.0 * 1024.0,
    };
    let square_usd = match quality {
        "low" => 0.024,
        "medium" => 0.053,
        "high" => 0.059,
        "xhigh" => 0.104,
        _ => 0.233,
    };
    square_usd * (pixels / (1024.0 * 1024.0)).max(1.0) + picture_usd(prompt.len() as u64, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_pixels_and_a_longer_prompt_cost_more() {
        let square = max_picture_usd("1024x1024", "low", "");
        assert_eq!(square, 0.024);
        assert_eq!(max_picture_usd("2048x1024", "low", ""), 2.0 * square);
        assert_eq!(max_picture_usd("512x512", "low", ""), square);
        assert_eq!(max_picture_usd("auto", "low", ""), 1.5 * square);
        assert_eq!(
            max_picture_usd("1024x1024", "low", &"a".repeat(1000)),
            square + 0.005
        );
    }
}
