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
/// Waits in a row that end without a message, for which there is memory from the start.
const HINTS: usize = 2;
const MESSAGE: &[u8; 16] = b"hello, executor\n";

/// The clients' ends, and the graph that serves the other ends.
pub struct Job {
    clients: Vec<UnixStream>,
    graph: Arc<Graph>,
    /// For each connection, a graph that waits once more.
    agains: Vec<Arc<Graph>>,
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
        let (mut clients, mut agains) = (Vec::new(), Vec::new());
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
            agains.push(again);
        }
        Ok(Job { clients, graph: builder.build()?, agains })
    }

    /// Makes the memory for waits that end without a message now, not while clients are served.
    pub fn reserve(&self, executor: &Executor) {
        self.agains.iter().for_each(|again| executor.reserve(again, HINTS));
    }

    /// Lets every client say its messages and hear them again; returns how many came back. Calls `meanwhile` when the
    /// server waits for the first.
    pub fn run(&self, executor: &Executor, scope: &Scope, meanwhile: impl FnOnce()) -> Result<usize> {
        let run = executor.submit(&self.graph, scope)?;
        meanwhile();
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
    let scope = executor.scope("example");
    let job = Job::new()?;
    job.reserve(&executor);
    let heard = job.run(&executor, &scope, || {
        let waiting = || {
            executor
                .dump()
                .scopes
                .iter()
                .flat_map(|scope| &scope.runs)
                .map(|run| run.waits.len())
                .sum::<usize>()
        };
        while waiting() < CONNECTIONS {
            std::thread::yield_now();
        }
        let parked = executor.dump().blocked;
        println!("connections that wait: {}; threads parked: {parked}", waiting());
        assert_eq!(parked, 0);
    })?;
    let counts = executor.counts();
    println!("{CONNECTIONS} connections, {heard} messages echoed");
    let waited = counts.waits_begun - counts.waits_inline;
    println!(
        "waits begun: {}; of these {waited} waited; looks at the kernel: {}",
        counts.waits_begun, counts.poller_turns
    );
    println!("workers: {}", executor.worker_count());
    Ok(())
}
