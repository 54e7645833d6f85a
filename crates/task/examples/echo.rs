//! An echo server for many connections on one worker: every connection waits, no thread does.

use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, Graph, GraphBuilder, Scope, TaskCx, TaskId};
use raddle_wait::{Descriptor, DescriptorSource};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock, Weak};

/// Connections at once.
const CONNECTIONS: usize = 64;
/// Messages on each in one run.
const MESSAGES: usize = 8;
const MESSAGE: &[u8; 16] = b"hello, executor\n";

/// The clients' ends, and the graph that serves the other ends.
pub struct Job {
    clients: Vec<UnixStream>,
    graph: Arc<Graph>,
}

/// One connection, as its server sees it.
struct Connection {
    stream: UnixStream,
    source: Arc<DescriptorSource>,
    /// Waits once more, then goes on.
    again: OnceLock<Weak<Graph>>,
}

impl Job {
    /// Connects everybody and builds the graph: for each connection, a chain of waits and echoes.
    pub fn new() -> Result<Job> {
        let mut builder = GraphBuilder::new();
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, server) = UnixStream::pair().map_err(system)?;
            clients.push(client);
            let connection = Connection::new(server)?;
            let again = connection.graph()?;
            let mut tasks: Vec<TaskId> = Vec::new();
            for _ in 0..MESSAGES {
                tasks.push(builder.wait(connection.source.clone()));
                let (connection, again) = (connection.clone(), again.clone());
                tasks.push(builder.call(move |cx| connection.echo(cx, &again)));
            }
            builder.chain(tasks)?;
        }
        Ok(Job { clients, graph: builder.build()? })
    }

    /// Lets every client say its messages and hear them again; returns how many came back.
    pub fn run(&self, executor: &Executor, scope: &Scope) -> Result<usize> {
        let run = executor.submit(&self.graph, scope)?;
        let mut heard = 0;
        for _ in 0..MESSAGES {
            for mut client in &self.clients {
                client.write_all(MESSAGE).map_err(system)?;
            }
            for mut client in &self.clients {
                let mut reply = [0; MESSAGE.len()];
                client.read_exact(&mut reply).map_err(system)?;
                heard += usize::from(&reply == MESSAGE);
            }
        }
        run.wait()?;
        Ok(heard)
    }
}

impl Connection {
    fn new(stream: UnixStream) -> Result<Arc<Connection>> {
        stream.set_nonblocking(true).map_err(system)?;
        let source = Arc::new(Descriptor::duplicate(&stream)?.readable());
        Ok(Arc::new(Connection { stream, source, again: OnceLock::new() }))
    }

    /// A wait and an echo, for a wait that ended without a message.
    fn graph(self: &Arc<Connection>) -> Result<Arc<Graph>> {
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(self.source.clone());
        let connection = self.clone();
        let echo = builder.call(move |cx| match connection.again.get().and_then(Weak::upgrade) {
            Some(again) => connection.echo(cx, &again),
            None => Err(Error::new(Code::Aborted, "the server has gone")),
        });
        builder.edge(wait, echo)?;
        let graph = builder.build()?;
        self.again.get_or_init(|| Arc::downgrade(&graph));
        Ok(graph)
    }

    /// Echoes a message. The end of a wait for a descriptor is a hint: if nothing is there, it waits again.
    fn echo(&self, cx: &TaskCx<'_>, again: &Arc<Graph>) -> Result {
        let mut message = [0; MESSAGE.len()];
        match (&self.stream).read(&mut message) {
            Ok(count) => (&self.stream).write_all(&message[..count]).map_err(system),
            Err(error) if error.kind() == ErrorKind::WouldBlock => cx.submit(again).map(drop),
            Err(error) => Err(system(error)),
        }
    }
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("the system refuses: {error}"))
}

/// Serves all clients once.
pub fn main() -> Result {
    let executor = Executor::builder().workers(1).build()?;
    let heard = Job::new()?.run(&executor, &executor.scope("example"))?;
    let counts = executor.counts();
    println!("{CONNECTIONS} connections, {heard} messages echoed");
    let waited = counts.waits_begun - counts.waits_inline;
    println!(
        "waits begun: {}; of these {waited} waited; looks at the kernel: {}",
        counts.waits_begun, counts.poller_turns
    );
    println!("workers: {}; threads parked on a connection: 0", executor.worker_count());
    Ok(())
}
