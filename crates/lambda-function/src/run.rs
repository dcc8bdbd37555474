//! The main function of a Lambda function.

use std::fmt::Debug;

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{UnreadableInput, env, https, telemetry};

/// Why a function ends instead of waiting for its next invocation.
pub type FatalError = lambda_runtime::Error;

/// What a function knows of an invocation besides the input.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// When the invocation started.
    pub now: Timestamp,
    /// Its request id: no other invocation has it, not even a retry by the Lambda service.
    pub id: String,
}

/// For a function that needs only the time.
impl From<Invocation> for Timestamp {
    fn from(invocation: Invocation) -> Timestamp {
        invocation.now
    }
}

/// Runs a function of the state machine: reads its configuration, makes its clients, and calls it with each payload.
///
/// `state` is the name of the state, which is in every line of the log. What the function learns of the invocation
/// (`X`) is an [`Invocation`] or just its [`Timestamp`].
pub async fn run<C, K, X, I, O, E>(
    state: &'static str,
    config: impl FnOnce() -> Result<C, env::Error>,
    clients: impl FnOnce(&SdkConfig, &C) -> K,
    function: impl AsyncFn(&K, &C, X, I) -> Result<O, E>,
) -> Result<(), FatalError>
where
    X: From<Invocation>,
    I: DeserializeOwned,
    O: Serialize,
    E: From<UnreadableInput> + Into<Diagnostic> + Debug,
{
    let (config, clients) = start(config, clients).await?;
    serve(state, async |invocation, input| {
        // On the heap, since the compiler gives up on the layout of futures that are nested this deeply.
        Box::pin(function(&clients, &config, X::from(invocation), input)).await
    })
    .await
}

/// The first half of [`run`]: starts the log, reads the configuration and makes the clients.
pub async fn start<C, K>(
    config: impl FnOnce() -> Result<C, env::Error>,
    clients: impl FnOnce(&SdkConfig, &C) -> K,
) -> Result<(C, K), FatalError> {
    telemetry::init();
    let config = config()?;
    let clients = clients(&https::aws_config().await, &config);
    Ok((config, clients))
}

/// The second half of [`run`]: calls a function with each payload.
pub async fn serve<I, O, E>(
    state: &'static str,
    function: impl AsyncFn(Invocation, I) -> Result<O, E>,
) -> Result<(), FatalError>
where
    I: DeserializeOwned,
    O: Serialize,
    E: From<UnreadableInput> + Into<Diagnostic> + Debug,
{
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        let invocation = Invocation {
            now: Timestamp::now(),
            id: event.context.request_id,
        };
        function(invocation, read(event.payload)?).await
    }))
    .layer(telemetry::fields(state))
    .run()
    .await
}

/// Reads a payload.
pub fn read<I, E>(payload: Value) -> Result<I, E>
where
    I: DeserializeOwned,
    E: From<UnreadableInput>,
{
    serde_json::from_value(payload).map_err(|error| E::from(UnreadableInput(error)))
}
