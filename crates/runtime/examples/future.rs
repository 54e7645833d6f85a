//! An invocation as a future, polled by whoever polls futures.

use raddle::{Result, Runtime};

/// The smallest executor: any other does.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    let value = block_on(async { delay.invoke((1_000_000, 7)).await })?;
    println!("after 1 ms: {value}");
    Ok(())
}
