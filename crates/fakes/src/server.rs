//! What both fakes share: a listener whose connections can be reset, and the list of faults.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Fault, Kind};

/// A server that stops on drop.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(port: u16, router: Router) -> anyhow::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let service = router.into_make_service_with_connect_info::<Connection>();
        let task = tokio::spawn(async move {
            // It returns only when the task is aborted.
            let _ = axum::serve(Resettable(listener), service).await;
        });
        Ok(Server { address, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that a handler can reset.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<AtomicBool>);

impl Connection {
    /// The connection of a request to one of the servers here.
    pub(crate) fn of(request: &Request) -> Connection {
        let info = request.extensions().get::<ConnectInfo<Connection>>();
        info.map_or_else(|| Connection(Arc::default()), |info| info.0.clone())
    }

    /// Resets the connection instead of answering.
    pub(crate) fn reset(&self) -> Response {
        self.0.store(true, Ordering::SeqCst);
        StatusCode::OK.into_response()
    }
}

struct Resettable(TcpListener);

impl Listener for Resettable {
    type Io = ResettableStream;
    type Addr = Connection;

    async fn accept(&mut self) -> (ResettableStream, Connection) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    let reset = Arc::new(AtomicBool::new(false));
                    return (
                        ResettableStream {
                            stream,
                            reset: reset.clone(),
                        },
                        Connection(reset),
                    );
                }
                // Possibly out of file handles; a retry may succeed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection(Arc::default()))
    }
}

impl Connected<IncomingStream<'_, Resettable>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Resettable>) -> Connection {
        stream.remote_addr().clone()
    }
}

struct ResettableStream {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl ResettableStream {
    fn check(&self) -> io::Result<()> {
        if self.reset.load(Ordering::SeqCst) {
            // Closing without lingering sends a reset.
            self.stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The configured faults, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Removes the faults that only requests with this text have.
    pub(crate) fn clear_containing(&self, text: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|fault| fault.containing.as_deref() != Some(text));
    }

    /// The first fault for this request. A fault with `times` takes precedence over a permanent one.
    pub(crate) fn take(&self, operation: &str, request: &str) -> Option<Kind> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_for = |fault: &Fault| {
            fault.operation == operation
                && fault.times != Some(0)
                && fault
                    .containing
                    .as_deref()
                    .is_none_or(|text| request.contains(text))
        };
        let counted = |fault: &Fault| fault.times.is_some() && is_for(fault);
        let index = faults
            .iter()
            .position(counted)
            .or_else(|| faults.iter().position(is_for))?;
        let fault = faults.get_mut(index)?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.kind.clone())
    }
}

/// The response of a fault that prevents the operation. Any other kind is returned as the error, and the operation runs.
pub(crate) async fn refuse(kind: Kind, connection: &Connection) -> Result<Response, Kind> {
    match kind {
        Kind::Status { status, body } => Ok((code(status), Json(body)).into_response()),
        Kind::Html { status } => Ok((
            code(status),
            Html("<!doctype html><title>Oops</title><h1>Something went wrong</h1>"),
        )
            .into_response()),
        Kind::Hang => std::future::pending().await,
        Kind::ResetBefore => Ok(connection.reset()),
        kind => Err(kind),
    }
}

pub(crate) fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
