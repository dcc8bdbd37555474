//! The stand-in for X.

use std::{
    collections::{BTreeMap, HashSet},
    num::NonZeroU64,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Multipart, OriginalUri, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header::AUTHORIZATION},
    response::{Html, IntoResponse, Response},
    routing::{delete, get, post, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use oauth::{HMAC_SHA1, ParameterList, Token};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Fault, Kind,
    server::{Connection, Faults, Server, code, refuse},
};

/// How to start it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port, or 0 for a free one.
    pub port: u16,
    /// The account's keys.
    pub credentials: Credentials,
    /// The account's name.
    pub name: String,
    /// The account's handle, without `@`.
    pub handle: String,
    /// Where tweets are kept from one start to the next; in memory without one.
    pub directory: Option<PathBuf>,
}

/// The keys of an app and of its one account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The app's key.
    pub api_key: String,
    /// The app's secret.
    pub api_key_secret: String,
    /// The account's token, which begins with the account's number and a hyphen.
    pub access_token: String,
    /// The account's secret.
    pub access_token_secret: String,
}

/// A tweet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tweet {
    /// Its id.
    pub id: String,
    /// Its text, as it was sent.
    pub text: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The keys of its pictures.
    pub media_keys: Vec<String>,
    /// The alt texts of its pictures.
    pub alt_texts: Vec<String>,
    /// Whether it says that its picture is made by AI.
    pub made_with_ai: bool,
    /// Its pictures.
    #[serde(skip)]
    pub pictures: Vec<Vec<u8>>,
    /// How many reads of the timeline still miss it.
    #[serde(default)]
    pub hidden: u32,
    /// When it was deleted; it is kept to tell that it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A running stand-in; it ends when this is dropped.
#[derive(Debug)]
pub struct X {
    server: Server,
    site: Arc<Site>,
}

#[derive(Debug)]
struct Site {
    options: Options,
    user_id: String,
    faults: Faults,
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Data {
    nonces: HashSet<String>,
    media: BTreeMap<String, Media>,
    tweets: Vec<Tweet>,
    requests: Vec<(String, Value)>,
    last_id: u64,
}

#[derive(Debug)]
struct Media {
    bytes: Vec<u8>,
    alt_text: String,
    uploaded: Timestamp,
}

/// Starts the stand-in.
pub async fn start(options: Options) -> anyhow::Result<X> {
    let user_id = options
        .credentials
        .access_token
        .split('-')
        .next()
        .unwrap_or_default()
        .to_owned();
    let tweets = load(&options)?;
    let port = options.port;
    let site = Arc::new(Site {
        options,
        user_id,
        faults: Faults::default(),
        data: Mutex::new(Data {
            tweets,
            ..Data::default()
        }),
    });
    let router = Router::new()
        .route(
            "/",
            get(async |State(site): State<Arc<Site>>| Html(site.page())),
        )
        .route("/2/media/upload", post(upload))
        .route("/2/media/metadata", post(metadata))
        .route("/2/tweets", post(create_tweet))
        .route("/2/tweets/{id}", delete(delete_tweet))
        .route("/2/users/{id}/tweets", get(timeline))
        .route("/_stand-in/faults", put(add_fault).delete(clear_faults))
        .layer(DefaultBodyLimit::max(20 << 20))
        .with_state(site.clone());
    Ok(X {
        server: Server::start(port, router).await?,
        site,
    })
}

impl X {
    /// Its address, which is the address of its timeline's page as well.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Forgets all faults that were told.
    pub fn clear_faults(&self) {
        self.site.faults.clear();
    }

    /// Tells it to fail.
    pub fn fail(&self, fault: Fault) {
        self.site.faults.add(fault);
    }

    /// All tweets, oldest first.
    pub fn tweets(&self) -> Vec<Tweet> {
        self.site.data().tweets.clone()
    }

    /// The operation and the body or query of all requests with a right signature, in order.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.site.data().requests.clone()
    }

    /// The timeline as a page that needs nothing else.
    pub fn timeline_html(&self) -> String {
        self.site.page()
    }
}

async fn add_fault(State(site): State<Arc<Site>>, Json(fault): Json<Fault>) {
    site.faults.add(fault);
}

async fn clear_faults(State(site): State<Arc<Site>>) {
    site.faults.clear();
}

async fn upload(
    State(site): State<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: OriginalUri,
    headers: HeaderMap,
    mut form: Multipart,
) -> Response {
    if let Err(refusal) = site.signed("POST", &headers, uri.path(), &[]) {
        return refusal;
    }
    let (mut media, mut category) = (None, None);
    loop {
        match form.next_field().await {
            Ok(None) => break,
            Ok(Some(field)) => match field.name() {
                Some("media") => media = field.bytes().await.ok(),
                Some("media_category") => category = field.text().await.ok(),
                other => return invalid(&format!("unknown field {other:?}")),
            },
            Err(e) => return invalid(&e.to_string()),
        }
    }
    site.log(
        "upload",
        json!({"media_category": category, "bytes": media.as_ref().map(Bytes::len)}),
    );
    let fault = match site.fault("upload", "", &connection).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    let Some(media) = media else {
        return invalid("media is required");
    };
    if category.as_deref() != Some("tweet_image") {
        return invalid("media_category has to be tweet_image");
    }
    if media.len() > 5_000_000 {
        return problem(
            413,
            "Payload Too Large",
            "the picture has more than 5 MB",
            "about:blank",
        );
    }
    let Ok(picture) = image::load_from_memory(&media) else {
        return invalid("the media is no picture");
    };
    let id = site.next_id();
    let size = media.len();
    site.data().media.insert(
        id.clone(),
        Media {
            bytes: media.to_vec(),
            alt_text: String::new(),
            uploaded: Timestamp::now(),
        },
    );
    let data = json!({
        "id": id,
        "media_key": format!("3_{id}"),
        "size": size,
        "expires_after_secs": 86400,
        "image": {"image_type": "image/jpeg", "w": picture.width(), "h": picture.height()},
    });
    answer(200, json!({"data": data}), fault, &connection)
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MetadataRequest {
    id: String,
    metadata: Metadata,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    alt_text: AltText,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AltText {
    text: String,
}

async fn metadata(
    State(site): State<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = site.signed("POST", &headers, uri.path(), &[]) {
        return refusal;
    }
    let request: MetadataRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(e) => return invalid(&e.to_string()),
    };
    site.log("metadata", json!(request));
    let fault = match site
        .fault("metadata", &request.metadata.alt_text.text, &connection)
        .await
    {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if request.metadata.alt_text.text.chars().count() > 1000 {
        return invalid("alt_text.text has more than 1000 characters");
    }
    match site.data().media.get_mut(&request.id) {
        Some(media) => media.alt_text = request.metadata.alt_text.text,
        None => return invalid("there is no such media id"),
    }
    let data = json!({"id": request.id, "associated_metadata": {}});
    answer(200, json!({"data": data}), fault, &connection)
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TweetRequest {
    text: String,
    media: Option<TweetMedia>,
    #[serde(default)]
    made_with_ai: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TweetMedia {
    media_ids: Vec<String>,
}

async fn create_tweet(
    State(site): State<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = site.signed("POST", &headers, uri.path(), &[]) {
        return refusal;
    }
    let request: TweetRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(e) => return invalid(&e.to_string()),
    };
    site.log("create-tweet", json!(request));
    let fault = match site.fault("create-tweet", &request.text, &connection).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if let Err(e) = post_text::check_caption(&request.text) {
        return invalid(&e.to_string());
    }
    let media_ids = request
        .media
        .map(|media| media.media_ids)
        .unwrap_or_default();
    if !(1..=4).contains(&media_ids.len()) {
        return invalid("media.media_ids has to have one to four ids");
    }
    let id = site.next_id();
    let now = Timestamp::now();
    {
        let mut data = site.data();
        let duplicate = data
            .tweets
            .iter()
            .any(|tweet| tweet.text == request.text && tweet.deleted_at.is_none());
        if duplicate && !matches!(fault, Some(Kind::MissedDuplicate)) {
            return problem(
                403,
                "Forbidden",
                "You are not allowed to create a Tweet with duplicate content.",
                "about:blank",
            );
        }
        let mut tweet = Tweet {
            id: id.clone(),
            text: request.text.clone(),
            created_at: now,
            media_keys: Vec::new(),
            alt_texts: Vec::new(),
            made_with_ai: request.made_with_ai,
            pictures: Vec::new(),
            hidden: match fault {
                Some(Kind::Hidden { reads }) => reads,
                _ => 0,
            },
            deleted_at: None,
        };
        for media_id in media_ids {
            match data.media.get(&media_id) {
                Some(media) if now.as_second() - media.uploaded.as_second() < 86_400 => {
                    tweet.media_keys.push(format!("3_{media_id}"));
                    tweet.alt_texts.push(media.alt_text.clone());
                    tweet.pictures.push(media.bytes.clone());
                }
                _ => return invalid("Your media IDs are invalid."),
            }
        }
        if let Err(e) = save(&site.options, &tweet) {
            return problem(500, "Internal Error", &e.to_string(), "about:blank");
        }
        data.tweets.push(tweet);
    }
    // A tweet that does not show yet is known to be there by nobody: its answer is lost as well.
    let fault = match fault {
        Some(Kind::Hidden { .. }) => Some(Kind::ResetAfter),
        fault => fault,
    };
    let data = json!({"id": id, "text": request.text, "edit_history_post_ids": [id]});
    answer(201, json!({"data": data}), fault, &connection)
}

async fn delete_tweet(
    State(site): State<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(id): Path<String>,
    uri: OriginalUri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = site.signed("DELETE", &headers, uri.path(), &[]) {
        return refusal;
    }
    site.log("delete-tweet", json!({"id": id}));
    let fault = match site.fault("delete-tweet", &id, &connection).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if !(1..=19).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_digit()) {
        return invalid("the id is no id of a tweet");
    }
    if query.is_some() || !body.is_empty() {
        return invalid("a deletion has no query and no body");
    }
    {
        let mut data = site.data();
        let there = data
            .tweets
            .iter_mut()
            .find(|tweet| tweet.id == id && tweet.deleted_at.is_none());
        let Some(tweet) = there else {
            return problem(
                404,
                "Not Found Error",
                "Could not find tweet with that id.",
                "https://api.x.com/2/problems/resource-not-found",
            );
        };
        tweet.deleted_at = Some(Timestamp::now());
        if let Err(e) = save(&site.options, tweet) {
            return problem(500, "Internal Error", &e.to_string(), "about:blank");
        }
    }
    let data = json!({"deleted": true});
    answer(200, json!({"data": data}), fault, &connection)
}

async fn timeline(
    State(site): State<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(user_id): Path<String>,
    uri: OriginalUri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let parameters: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    if let Err(refusal) = site.signed("GET", &headers, uri.path(), &parameters) {
        return refusal;
    }
    site.log("timeline", json!(parameters));
    let fault = match site.fault("timeline", &query, &connection).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    if user_id != site.user_id {
        return problem(
            404,
            "Not Found Error",
            "there is no such user",
            "https://api.x.com/2/problems/resource-not-found",
        );
    }
    let value = |name: &str| {
        parameters
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let known = ["max_results", "start_time", "exclude", "tweet.fields"];
    if let Some((unknown, _)) = parameters
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        return invalid(&format!("unknown parameter {unknown}"));
    }
    let count: usize = match value("max_results").unwrap_or("10").parse() {
        Ok(count @ 5..=100) => count,
        _ => return invalid("max_results has to be 5 to 100"),
    };
    let since: Option<Timestamp> = match value("start_time").map(str::parse).transpose() {
        Ok(since) => since,
        Err(_) => return invalid("start_time is no time"),
    };
    let fields: Vec<&str> = value("tweet.fields")
        .unwrap_or_default()
        .split(',')
        .collect();
    let mut seen = Vec::new();
    for tweet in site.data().tweets.iter_mut().rev() {
        if tweet.hidden > 0 {
            tweet.hidden = tweet
                .hidden
                .saturating_sub(u32::from(tweet.hidden != u32::MAX));
            continue;
        }
        if since.is_some_and(|since| tweet.created_at < since)
            || tweet.deleted_at.is_some()
            || seen.len() == count
        {
            continue;
        }
        let text = tweet
            .text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let mut json = json!({"id": tweet.id, "text": format!("{text} https://t.co/{}", &tweet.id[tweet.id.len() - 10..])});
        if fields.contains(&"created_at") {
            json["created_at"] = json!(
                tweet
                    .created_at
                    .strftime("%Y-%m-%dT%H:%M:%S.000Z")
                    .to_string()
            );
        }
        if fields.contains(&"attachments") {
            json["attachments"] = json!({"media_keys": tweet.media_keys});
        }
        seen.push(json);
    }
    let body = match seen.len() {
        0 => json!({"meta": {"result_count": 0}}),
        n => json!({"data": seen, "meta": {"result_count": n}}),
    };
    answer(200, body, fault, &connection)
}

impl Site {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, operation: &str, request: Value) {
        self.data().requests.push((operation.to_owned(), request));
    }

    async fn fault(
        &self,
        operation: &str,
        text: &str,
        connection: &Connection,
    ) -> Result<Option<Kind>, Response> {
        match self.faults.take(operation, text) {
            None => Ok(None),
            Some(kind) => match refuse(kind, connection).await {
                Ok(answer) => Err(answer),
                Err(kind) => Ok(Some(kind)),
            },
        }
    }

    /// An id as X makes them: milliseconds since its own epoch, then a number.
    fn next_id(&self) -> String {
        let milliseconds = (Timestamp::now().as_millisecond() - 1_288_834_974_657).max(0) as u64;
        let mut data = self.data();
        data.last_id = (milliseconds << 22).max(data.last_id + 1);
        data.last_id.to_string()
    }

    /// Checks the signature by making it again.
    #[expect(clippy::result_large_err, reason = "the refusal is the answer")]
    fn signed(
        &self,
        method: &str,
        headers: &HeaderMap,
        path: &str,
        query: &[(String, String)],
    ) -> Result<(), Response> {
        let unauthorized = |detail: &str| problem(401, "Unauthorized", detail, "about:blank");
        let text = |name| {
            headers
                .get(name)
                .and_then(|v: &HeaderValue| v.to_str().ok())
        };
        let header = text(AUTHORIZATION.as_str())
            .and_then(|v| v.strip_prefix("OAuth "))
            .ok_or_else(|| unauthorized("no OAuth 1.0a header"))?;
        let fields: BTreeMap<String, String> = header
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value.trim_matches('"'))))
            .collect();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let keys = &self.options.credentials;
        if field("oauth_consumer_key") != keys.api_key || field("oauth_token") != keys.access_token
        {
            return Err(unauthorized("unknown key or token"));
        }
        let timestamp: u64 = field("oauth_timestamp").parse().unwrap_or(0);
        if timestamp.abs_diff(Timestamp::now().as_second().max(0) as u64) > 300 {
            return Err((
                code(401),
                Json(json!({"errors": [{"code": 135, "message": "Timestamp out of bounds."}]})),
            )
                .into_response());
        }
        let token = Token::from_parts(
            keys.api_key.as_str(),
            keys.api_key_secret.as_str(),
            keys.access_token.as_str(),
            keys.access_token_secret.as_str(),
        );
        let url = format!("http://{}{path}", text("host").unwrap_or_default());
        let mut builder = oauth::Builder::<_, _>::with_token(token, HMAC_SHA1);
        builder
            .nonce(field("oauth_nonce"))
            .timestamp(NonZeroU64::new(timestamp))
            .version(fields.contains_key("oauth_version"));
        let mut query: Vec<(&str, &str)> = query
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        query.sort_unstable();
        let parameters = ParameterList::new(query);
        let right = match method {
            "GET" => builder.get(url, &parameters),
            "DELETE" => builder.delete(url, &parameters),
            _ => builder.post(url, &parameters),
        };
        let signature = right
            .split("oauth_signature=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .map(decoded);
        if signature.as_deref() != Some(field("oauth_signature")) {
            return Err(unauthorized("wrong signature"));
        }
        if !self.data().nonces.insert(field("oauth_nonce").to_owned()) {
            return Err(unauthorized("this nonce was used before"));
        }
        Ok(())
    }

    fn page(&self) -> String {
        let tweets = self.data().tweets.clone();
        page(&self.options, &tweets).into_string()
    }
}

/// The answer to what was done, or what a fault makes of it.
fn answer(status: u16, body: Value, fault: Option<Kind>, connection: &Connection) -> Response {
    match fault {
        Some(Kind::ResetAfter) => connection.reset(),
        Some(Kind::AcceptedThenError) => problem(
            503,
            "Service Unavailable",
            "Service Unavailable",
            "about:blank",
        ),
        Some(Kind::Empty) => (code(status), Json(json!({"data": {}}))).into_response(),
        _ => {
            let reset = (Timestamp::now().as_second() + 900).to_string();
            let limits = [
                ("x-rate-limit-limit", "100".to_owned()),
                ("x-rate-limit-remaining", "99".to_owned()),
                ("x-rate-limit-reset", reset),
            ];
            (code(status), limits, Json(body)).into_response()
        }
    }
}

fn invalid(detail: &str) -> Response {
    problem(
        400,
        "Invalid Request",
        detail,
        "https://api.x.com/2/problems/invalid-request",
    )
}

fn problem(status: u16, title: &str, detail: &str, kind: &str) -> Response {
    let body = json!({"title": title, "detail": detail, "type": kind, "status": status});
    (code(status), Json(body)).into_response()
}

/// Percent-decoding as OAuth encodes, in which a plus sign is itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn load(options: &Options) -> anyhow::Result<Vec<Tweet>> {
    let Some(directory) = &options.directory else {
        return Ok(Vec::new());
    };
    std::fs::create_dir_all(directory)?;
    let mut tweets = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let mut tweet: Tweet = serde_json::from_slice(&std::fs::read(&path)?)?;
            tweet.pictures = vec![std::fs::read(path.with_extension("jpg"))?];
            tweets.push(tweet);
        }
    }
    tweets.sort_by_key(|tweet| tweet.created_at);
    Ok(tweets)
}

fn save(options: &Options, tweet: &Tweet) -> anyhow::Result<()> {
    if let Some(directory) = &options.directory {
        for picture in &tweet.pictures {
            std::fs::write(directory.join(&tweet.id).with_extension("jpg"), picture)?;
        }
        std::fs::write(
            directory.join(&tweet.id).with_extension("json"),
            serde_json::to_vec(tweet)?,
        )?;
    }
    Ok(())
}

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#0f1419;--dim:#536471;--line:#eff3f4;--chip:#f1e8fb;--chipfg:#5b2a86}
@media(prefers-color-scheme:dark){:root{--bg:#000;--fg:#e7e9ea;--dim:#8b98a5;--line:#2f3336;--chip:#2b1a3d;--chipfg:#d9b8ff}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.4 system-ui,sans-serif}
main{max-width:600px;margin:0 auto;border:solid var(--line);border-width:0 1px;min-height:100vh}
header{padding:16px;border-bottom:1px solid var(--line)}h1{font-size:20px;margin:0}
article{display:grid;grid-template-columns:48px 1fr;gap:12px;padding:16px;border-bottom:1px solid var(--line)}
.face{width:48px;height:48px;border-radius:50%;background:#2b1240;display:grid;place-items:center;font-size:26px}
.who b{margin-right:4px}.dim{color:var(--dim)}.text{margin:4px 0 12px;white-space:pre-wrap;overflow-wrap:anywhere}
img{width:100%;border-radius:16px;border:1px solid var(--line);display:block}
.chip{display:inline-block;background:var(--chip);color:var(--chipfg);border-radius:99px;padding:2px 10px;font-size:13px;margin:0 6px 6px 0}
details{margin-top:8px;font-size:14px}summary{cursor:pointer;font-weight:700}
";

fn page(options: &Options, tweets: &[Tweet]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (options.name) " (@" (options.handle) ")" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (options.name) }
                        div.dim { "@" (options.handle) " · " (tweets.len()) " posts · a stand-in for X" }
                    }
                    @if tweets.is_empty() { article { div {} p.dim { "Nothing was posted yet." } } }
                    @for tweet in tweets.iter().rev() {
                        article id=(tweet.id) {
                            div.face aria-hidden="true" { "🎃" }
                            div {
                                div.who { b { (options.name) } span.dim { "@" (options.handle) " · " (tweet.created_at.strftime("%-d %b %Y %H:%M UTC")) } }
                                div.dim { "🤖 Automated" }
                                @if let Some(at) = tweet.deleted_at {
                                    p.dim { "Deleted " (at.strftime("%-d %b %Y %H:%M UTC")) ". What was here:" }
                                }
                                div.text { (tweet.text) }
                                @for (picture, alt) in tweet.pictures.iter().zip(&tweet.alt_texts) {
                                    img src={ "data:image/jpeg;base64," (BASE64_STANDARD.encode(picture)) } alt=(alt);
                                    details { summary { "ALT" } (alt) }
                                }
                                p { @if tweet.made_with_ai { span.chip { "Made with AI" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
