//! The fake OpenAI: its images, and what it answers about its models.

use std::{
    io::Cursor,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use image::{ImageFormat, RgbImage};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Fault, Kind, painter,
    server::{Connection, Faults, Server, refuse},
};

/// How to start it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port, or 0 for a free one.
    pub port: u16,
    /// The key that is accepted.
    pub api_key: String,
}

/// A running fake; it ends when this is dropped.
#[derive(Debug)]
pub struct OpenAi {
    server: Server,
    state: Arc<Studio>,
}

#[derive(Debug)]
struct Studio {
    api_key: String,
    faults: Faults,
    requests: Mutex<Vec<Value>>,
    /// The prompts of the pictures that were painted.
    paid: Mutex<Vec<String>>,
}

/// Starts the fake.
pub async fn start(options: Options) -> anyhow::Result<OpenAi> {
    let state = Arc::new(Studio {
        api_key: options.api_key,
        faults: Faults::default(),
        requests: Mutex::default(),
        paid: Mutex::default(),
    });
    let router = Router::new()
        .route("/v1/images/generations", post(generate))
        .route("/v1/models/{model}", get(model))
        .route("/_fake/faults", put(add_fault).delete(clear_faults))
        .layer(DefaultBodyLimit::max(1 << 20))
        .with_state(state.clone());
    Ok(OpenAi {
        server: Server::start(options.port, router).await?,
        state,
    })
}

impl OpenAi {
    /// Its address, with `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.server.address)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Adds a fault.
    pub fn fail(&self, fault: Fault) {
        self.state.faults.add(fault);
    }

    /// The bodies of all requests for pictures with the right key, in order.
    pub fn requests(&self) -> Vec<Value> {
        self.state.requests().clone()
    }

    /// How many pictures were painted, which is how many the real one would have charged for, whether their answer
    /// arrived or not.
    pub fn paid(&self) -> usize {
        self.state.paid().len()
    }

    /// The requests, pictures and faults of those prompts only that contain a marker, such as a bot's name. Tests that
    /// share one server each have a scope.
    pub fn scope(&self, marker: &str) -> Scope {
        Scope {
            state: self.state.clone(),
            marker: marker.to_owned(),
        }
    }
}

/// A part of a running fake.
#[derive(Clone, Debug)]
pub struct Scope {
    state: Arc<Studio>,
    marker: String,
}

impl Scope {
    /// Adds a fault to requests for pictures in this scope.
    pub fn fail(&self, fault: Fault) {
        self.state.faults.add(fault.containing(&self.marker));
    }

    /// Removes the faults of this scope.
    pub fn clear_faults(&self) {
        self.state.faults.clear_containing(&self.marker);
    }

    /// The bodies of the requests for pictures in this scope, in order.
    pub fn requests(&self) -> Vec<Value> {
        let prompt = |request: &Value| request["prompt"].as_str().unwrap_or_default().to_owned();
        let mut requests = self.state.requests().clone();
        requests.retain(|request| prompt(request).contains(&self.marker));
        requests
    }

    /// How many pictures of this scope were painted.
    pub fn paid(&self) -> usize {
        let paid = self.state.paid();
        paid.iter()
            .filter(|prompt| prompt.contains(&self.marker))
            .count()
    }
}

impl Studio {
    fn requests(&self) -> MutexGuard<'_, Vec<Value>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paid(&self) -> MutexGuard<'_, Vec<String>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn add_fault(State(studio): State<Arc<Studio>>, Json(fault): Json<Fault>) -> StatusCode {
    studio.faults.add(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(studio): State<Arc<Studio>>) -> StatusCode {
    studio.faults.clear();
    StatusCode::NO_CONTENT
}

/// The answer to another key than the one that is accepted.
fn wrong_key(studio: &Studio, headers: &HeaderMap) -> Option<Response> {
    let key = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let refusal = || {
        let code = Some("invalid_api_key");
        error(401, "invalid_request_error", code, "Incorrect API key.")
    };
    (key != Some(&format!("Bearer {}", studio.api_key))).then(refusal)
}

async fn model(
    State(studio): State<Arc<Studio>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = wrong_key(&studio, &headers) {
        return refusal;
    }
    if let Some(kind) = studio.faults.take("models", &model) {
        return match refuse(kind, &connection).await {
            Ok(answer) => answer,
            Err(_) => connection.reset(),
        };
    }
    if !MODELS.contains(&model.as_str()) {
        let message = format!("The model '{model}' does not exist.");
        let code = Some("model_not_found");
        return error(404, "invalid_request_error", code, &message);
    }
    let shutdown_date = RETIRING.contains(&model.as_str()).then_some("2026-12-01");
    Json(json!({
        "id": model,
        "object": "model",
        "created": 1_793_664_000,
        "owned_by": "system",
        "shutdown_date": shutdown_date,
    }))
    .into_response()
}

async fn generate(
    State(studio): State<Arc<Studio>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = wrong_key(&studio, &headers) {
        return refusal;
    }
    let Ok(Value::Object(request)) = serde_json::from_slice(&body) else {
        return error(
            400,
            "invalid_request_error",
            None,
            "The body is not a JSON object.",
        );
    };
    studio.requests().push(Value::Object(request.clone()));
    let text = String::from_utf8_lossy(&body);
    let fault = match studio.faults.take("images", &text) {
        Some(kind) => match refuse(kind, &connection).await {
            Ok(answer) => return answer,
            Err(kind) => Some(kind),
        },
        None => None,
    };
    let order = match Order::of(&request) {
        Ok(order) => order,
        Err((code, message)) => {
            let status = if code == Some("model_not_found") {
                404
            } else {
                400
            };
            return error(status, "invalid_request_error", code, &message);
        }
    };
    studio.paid().push(order.prompt.clone());
    let painted = tokio::task::spawn_blocking(move || paint(order, fault)).await;
    match painted {
        Ok(Ok((answer, Some(Kind::ResetAfter)))) => {
            drop(answer);
            connection.reset()
        }
        Ok(Ok((_, Some(Kind::AcceptedThenError)))) => error(
            503,
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "Overloaded.",
        ),
        Ok(Ok((answer, _))) => ([("x-request-id", "req_fake")], Json(answer)).into_response(),
        Ok(Err(e)) => error(500, "server_error", None, &e.to_string()),
        Err(e) => error(500, "server_error", None, &e.to_string()),
    }
}

/// A request that was checked.
struct Order {
    prompt: String,
    model: String,
    width: u32,
    height: u32,
    quality: String,
    format: String,
}

/// The models that were served on 2026-11-24; the last three until 2026-12-01.
const MODELS: [&str; 11] = [
    "gpt-image-2",
    "gpt-image-2-2026-04-21",
    "gpt-image-2.5-flare",
    "gpt-image-2.5-flare-2026-09-08",
    "gpt-image-2.5-sunburst",
    "gpt-image-2.5-sunburst-2026-09-08",
    "gpt-image-2.6-flare",
    "gpt-image-2.6-sunburst",
    "gpt-image-1.5",
    "gpt-image-1-mini",
    "chatgpt-image-latest",
];

/// Those of them that are shut down on 2026-12-01.
const RETIRING: [&str; 3] = ["gpt-image-1.5", "gpt-image-1-mini", "chatgpt-image-latest"];

impl Order {
    fn of(request: &Map<String, Value>) -> Result<Order, (Option<&'static str>, String)> {
        const FIELDS: [&str; 9] = [
            "prompt",
            "model",
            "n",
            "size",
            "quality",
            "output_format",
            "output_compression",
            "moderation",
            "background",
        ];
        if let Some(unknown) = request.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err((
                Some("unknown_parameter"),
                format!("Unknown parameter: '{unknown}'."),
            ));
        }
        let text = |name: &str, default: &str| match request.get(name) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err((
                Some("invalid_type"),
                format!("'{name}' has to be a string."),
            )),
        };
        let one_of = |name: &str, default: &str, values: &[&str]| {
            let value = text(name, default)?;
            if values.contains(&value.as_str()) {
                return Ok(value);
            }
            Err((
                Some("invalid_value"),
                format!("Invalid value: '{value}' for '{name}'."),
            ))
        };
        let prompt = text("prompt", "")?;
        if !(1..=32_000).contains(&prompt.chars().count()) {
            return Err((
                Some("invalid_value"),
                "'prompt' has to have 1 to 32000 characters.".to_owned(),
            ));
        }
        let model = text("model", "")?;
        if !MODELS.contains(&model.as_str()) {
            return Err((
                Some("model_not_found"),
                format!("The model '{model}' does not exist."),
            ));
        }
        if !matches!(request.get("n").map(Value::as_u64), None | Some(Some(1))) {
            return Err((
                Some("invalid_value"),
                "This fake paints one picture, 'n' has to be 1.".to_owned(),
            ));
        }
        let size = text("size", "1024x1024")?;
        let bad_size = || (Some("invalid_value"), format!("Invalid size '{size}'."));
        let (width, height) = match size.as_str() {
            "auto" => (1024, 1024),
            size => size
                .split_once('x')
                .and_then(|(w, h)| Some((w.parse::<u32>().ok()?, h.parse::<u32>().ok()?)))
                .filter(|(w, h)| {
                    w % 16 == 0 && h % 16 == 0 && w.max(h) <= &3840 && w.min(h) >= &256
                })
                .filter(|(w, h)| w.max(h) <= &(w.min(h) * 3))
                .ok_or_else(bad_size)?,
        };
        one_of("moderation", "auto", &["auto", "low"])?;
        one_of("background", "auto", &["auto", "opaque", "transparent"])?;
        Ok(Order {
            prompt,
            width,
            height,
            quality: match one_of(
                "quality",
                "auto",
                &["auto", "low", "medium", "high", "xhigh", "max"],
            )?
            .as_str()
            {
                "auto" => "medium".to_owned(),
                quality => quality.to_owned(),
            },
            format: one_of("output_format", "png", &["png", "jpeg", "webp"])?,
            model,
        })
    }

    /// Tokens of the picture, as they were seen for 1024x1024.
    fn output_tokens(&self) -> u64 {
        let tokens = match self.quality.as_str() {
            "low" => 196,
            "medium" => 439,
            "high" => 1756,
            "xhigh" => 3122,
            _ => 7024,
        };
        let newest =
            self.model.contains("2.6") && matches!(self.quality.as_str(), "low" | "medium");
        let pixels = u64::from(self.width) * u64::from(self.height);
        (if newest { tokens * 7 / 2 } else { tokens }) * pixels / (1024 * 1024)
    }
}

fn paint(order: Order, fault: Option<Kind>) -> anyhow::Result<(Value, Option<Kind>)> {
    let picture = match fault {
        // Noise cannot be compressed: 1500 pixels a side of it are 6.7 MB as a PNG.
        Some(Kind::Huge) => noise(1500),
        _ => painter::paint(&order.prompt, order.width, order.height)?,
    };
    let format = match (&fault, order.format.as_str()) {
        (Some(Kind::Huge), _) => ImageFormat::Png,
        (Some(Kind::Mislabelled), "png") => ImageFormat::Jpeg,
        (Some(Kind::Mislabelled), _) | (_, "png") => ImageFormat::Png,
        (_, "webp") => ImageFormat::WebP,
        _ => ImageFormat::Jpeg,
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format)?;
    let mut bytes = bytes.into_inner();
    if matches!(fault, Some(Kind::CutOff)) {
        bytes.truncate(bytes.len() / 2);
    }
    let input_tokens = order.prompt.split_whitespace().count() as u64 * 4 / 3 + 1;
    let output_tokens = order.output_tokens();
    let data = match fault {
        Some(Kind::Empty) => json!([]),
        _ => json!([{"b64_json": BASE64_STANDARD.encode(bytes)}]),
    };
    let answer = json!({
        "created": Timestamp::now().as_second(),
        "data": data,
        "background": "opaque",
        "output_format": order.format,
        "size": format!("{}x{}", order.width, order.height),
        "quality": order.quality,
        "usage": {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
            "input_tokens_details": {"text_tokens": input_tokens, "image_tokens": 0},
            "output_tokens_details": {"image_tokens": output_tokens, "text_tokens": 0},
        },
    });
    Ok((answer, fault))
}

fn noise(side: u32) -> RgbImage {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    RgbImage::from_fn(side, side, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [r, g, b, ..] = state.to_le_bytes();
        image::Rgb([r, g, b])
    })
}

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    (
        crate::server::code(status),
        [("x-request-id", "req_fake")],
        Json(body),
    )
        .into_response()
}
