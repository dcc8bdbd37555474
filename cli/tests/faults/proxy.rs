//! What stands between the functions and AWS, and fails as it is told.
//!
//! Each function is started by a small script in its zip file, which points the function's AWS clients and its Runtime
//! API here, and puts its process number where the proxy finds it. The functions themselves are the real ones.
//! Whatever has no fault passes unchanged, signatures included.

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, request::Parts},
};
use local_cloud::{Zips, build_functions};
use tokio::{net::TcpListener, task::JoinHandle};

/// Between a function and AWS, something goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// In which account.
    pub account: String,
    /// In which function, such as `pick-day`; in any if it is empty.
    pub function: String,
    /// In which request: what its line begins with, such as `dynamodb` or `s3 PUT drafts`, or `response` for the
    /// function's own answer to Lambda.
    pub request: String,
    /// What happens.
    pub kind: Kind,
    /// How many such requests pass before.
    pub after: u32,
    /// How often; for ever without it.
    pub times: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// AWS does not do it, and answers with this status: 500, 503, 403, or 404 as S3 does for an object.
    Refuse(u16),
    /// It does not arrive, and there is no answer.
    Hold,
    /// The function's process is killed before it arrives.
    KillBefore,
    /// The function's process is killed once it is done.
    KillAfter,
}

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    aws: String,
    client: reqwest::Client,
    faults: Mutex<Vec<(Fault, u32)>>,
    passed: Mutex<Vec<Asked>>,
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asked {
    pub account: String,
    /// The function's folder.
    pub function: String,
    process: String,
    /// Service and operation.
    pub line: String,
    url: String,
}

impl Proxy {
    /// Starts one in front of an emulator.
    pub async fn start(aws: &str) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Shared {
            aws: aws.to_owned(),
            client: lambda_function::https::client_builder().build().unwrap(),
            faults: Mutex::default(),
            passed: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(state.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Proxy {
            address,
            state,
            task,
        }
    }

    /// The functions, behind this proxy.
    pub async fn functions(&self) -> Zips {
        let lines = format!(
            r#"export AWS_ENDPOINT_URL="http://{address}"
export AWS_SDK_UA_APP_ID="$AWS_LAMBDA_FUNCTION_NAME-$$"
port="${{AWS_LAMBDA_RUNTIME_API##*:}}"
export AWS_LAMBDA_RUNTIME_API="http://{address}/_runtime/$AWS_ACCESS_KEY_ID/$AWS_LAMBDA_FUNCTION_NAME/$$/$port"
"#,
            address = self.address
        );
        let binaries = build_functions().await.unwrap();
        binaries.launchers(&lines).unwrap()
    }

    pub fn fail(&self, fault: Fault) {
        self.state.faults.lock().unwrap().push((fault, 0));
    }

    /// The requests of an account that were not refused, lost or held, in the order of their answers.
    pub fn passed(&self, account: &str) -> Vec<Asked> {
        let mut passed = self.state.passed.lock().unwrap().clone();
        passed.retain(|asked| asked.account == account);
        passed
    }

    /// Forgets the faults of an account, and gives how often one of them happened.
    pub fn clear(&self, account: &str) -> u32 {
        let mut happened = 0;
        self.state.faults.lock().unwrap().retain(|(fault, times)| {
            let this = fault.account == account;
            happened += if this { *times } else { 0 };
            !this
        });
        happened
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// The first fault for this request, used up if it was told a number of times.
    fn fault(&self, asked: &Asked) -> Option<Kind> {
        let mut faults = self.faults.lock().unwrap();
        let (fault, happened) = faults.iter_mut().find(|(fault, _)| {
            fault.account == asked.account
                && (fault.function.is_empty() || fault.function == asked.function)
                && asked.line.starts_with(&fault.request)
                && fault.times != Some(0)
        })?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        *happened += 1;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.kind)
    }

    fn asked(&self, parts: &Parts) -> Asked {
        let path = parts.uri.path();
        if let Some(runtime) = path.strip_prefix("/_runtime/") {
            let parts: Vec<&str> = runtime.splitn(5, '/').collect();
            let [account, function, process, port, rest] = parts[..] else {
                panic!("{path} is not what the script makes of the Runtime API's address");
            };
            return Asked {
                account: account.to_owned(),
                function: short(function),
                process: process.to_owned(),
                // `next`, `response` or `error`.
                line: rest.rsplit('/').next().unwrap_or_default().to_owned(),
                url: format!("http://127.0.0.1:{port}/{rest}"),
            };
        }
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        // AWS4-HMAC-SHA256 Credential=<account>/<date>/<region>/<service>/aws4_request, …
        let credential = header("authorization").and_then(|v| v.split("Credential=").nth(1));
        let scope: Vec<&str> = credential.unwrap_or_default().split('/').collect();
        let [account, _, _, service, ..] = scope[..] else {
            panic!("{path} is not signed");
        };
        let application = header("user-agent").and_then(|v| v.split(" app/").nth(1));
        let application = application.and_then(|v| v.split(' ').next());
        let (function, process) = application
            .and_then(|application| application.rsplit_once('-'))
            .unwrap_or_else(|| panic!("{path} does not say which process sends it"));
        let operation = match header("x-amz-target").and_then(|v| v.split('.').nth(1)) {
            Some(operation) => operation.to_owned(),
            // The first folder of the key, without the bucket.
            None if service == "s3" => {
                let folder = path.split('/').nth(2).unwrap_or_default();
                format!("{} {folder}", parts.method)
            }
            None => format!("{} {path}", parts.method),
        };
        Asked {
            account: account.to_owned(),
            function: short(function),
            process: process.to_owned(),
            line: format!("{service} {operation}"),
            url: format!("{}{}", self.aws, parts.uri),
        }
    }

    async fn forward(&self, asked: &Asked, parts: Parts, body: Bytes) -> Response<Body> {
        // The headers stay as they are, the host as well, since it is part of what was signed.
        let answer = self
            .client
            .request(parts.method, &asked.url)
            .headers(parts.headers)
            .body(body)
            .send()
            .await;
        self.passed.lock().unwrap().push(asked.clone());
        // An environment that has ended has closed its Runtime API.
        let Ok(answer) = answer else {
            return Response::builder().status(502).body(Body::empty()).unwrap();
        };
        let mut passed_on = Response::builder().status(answer.status());
        let headers: &mut HeaderMap = passed_on.headers_mut().unwrap();
        *headers = answer.headers().clone();
        // The body is sent again, in one piece.
        headers.remove("transfer-encoding");
        let body = answer.bytes().await.unwrap_or_default();
        passed_on.body(Body::from(body)).unwrap()
    }
}

/// The name of a function in `functions/`.
fn short(function: &str) -> String {
    let short = function.strip_prefix("daily-post-local-");
    short.unwrap_or(function).to_owned()
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let asked = shared.asked(&parts);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let fault = shared.fault(&asked);
    match fault {
        None => shared.forward(&asked, parts, body).await,
        Some(Kind::Refuse(status)) => refusal(status, &asked.line),
        Some(Kind::Hold) => std::future::pending().await,
        Some(Kind::KillBefore) => {
            kill(&asked.process);
            std::future::pending().await
        }
        Some(Kind::KillAfter) => {
            shared.forward(&asked, parts, body).await;
            kill(&asked.process);
            std::future::pending().await
        }
    }
}

fn kill(process: &str) {
    let mut kill = Command::new("kill");
    // It may have ended by itself.
    let _ = kill.args(["-9", process]).stderr(Stdio::null()).status();
}

/// What AWS says when it cannot or will not, in the form of the service.
fn refusal(status: u16, line: &str) -> Response<Body> {
    let (code, message) = match status {
        403 => ("AccessDeniedException", "You are not allowed to do this."),
        404 => ("ResourceNotFoundException", "It is not there."),
        503 => ("ThrottlingException", "Slow down."),
        _ => ("InternalServerError", "We encountered an internal error."),
    };
    let answer = Response::builder().status(status);
    if line.starts_with("s3 ") {
        let code = match status {
            403 => "AccessDenied",
            404 => "NoSuchKey",
            503 => "SlowDown",
            _ => "InternalError",
        };
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        return answer
            .header("content-type", "application/xml")
            .body(body.into())
            .unwrap();
    }
    // A refusal of DynamoDB, Secrets Manager and the others of their kind is a 400.
    let status = if status == 500 { 500 } else { 400 };
    answer
        .status(status)
        .header("content-type", "application/json")
        .header("x-amzn-errortype", code)
        .body(
            serde_json::json!({"__type": code, "message": message})
                .to_string()
                .into(),
        )
        .unwrap()
}
