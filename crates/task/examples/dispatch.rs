//! A grid dispatch: an image of the Mandelbrot set, computed in tiles, printed as text.

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const WIDTH: u32 = 96;
const HEIGHT: u32 = 32;
/// Pixels of a tile, in each direction.
const TILE: u32 = 8;
const STEPS_MAX: u32 = 2_000;

/// The image and the graph that computes it.
pub struct Job {
    image: Arc<Vec<AtomicU32>>,
    /// Tiles computed by each thread: the workers, then threads that lend themselves.
    tiles: Arc<[AtomicU32; 8]>,
    graph: Arc<Graph>,
}

impl Job {
    /// Builds the graph: one dispatch.
    pub fn new() -> Result<Job> {
        let image: Arc<Vec<AtomicU32>> = Arc::new((0..WIDTH * HEIGHT).map(|_| AtomicU32::new(0)).collect());
        let mut builder = GraphBuilder::new();
        let tiles = Arc::new([const { AtomicU32::new(0) }; 8]);
        let (pixels, counts) = (image.clone(), tiles.clone());
        builder.dispatch([WIDTH / TILE, HEIGHT / TILE, 1], move |cx| {
            let [column, row, _] = cx.tile;
            counts[cx.worker_index()].fetch_add(1, Relaxed);
            for y in row * TILE..(row + 1) * TILE {
                for x in column * TILE..(column + 1) * TILE {
                    pixels[(y * WIDTH + x) as usize].store(steps(x, y), Relaxed);
                }
            }
        });
        Ok(Job { image, tiles, graph: builder.build()? })
    }

    /// Computes the image, beginning on this thread.
    pub fn run(&self, executor: &Executor, scope: &Scope) -> Result {
        executor.run(&self.graph, scope)
    }

    fn print(&self) {
        for row in self.image.chunks(WIDTH as usize) {
            let shade = |pixel: &AtomicU32| match pixel.load(Relaxed) {
                STEPS_MAX => '#',
                steps if steps > 12 => '+',
                steps if steps > 6 => '.',
                _ => ' ',
            };
            println!("{}", row.iter().map(shade).collect::<String>().trim_end());
        }
    }
}

/// How many steps a point takes to leave the circle.
fn steps(x: u32, y: u32) -> u32 {
    let (re, im) =
        (f64::from(x) / f64::from(WIDTH) * 3.2 - 2.3, f64::from(y) / f64::from(HEIGHT) * 2.4 - 1.2);
    let (mut a, mut b) = (0.0, 0.0);
    for step in 0..STEPS_MAX {
        if a * a + b * b > 4.0 {
            return step;
        }
        (a, b) = (a * a - b * b + re, 2.0 * a * b + im);
    }
    STEPS_MAX
}

/// Computes and prints the image.
pub fn main() -> Result {
    let executor = Executor::builder().workers(2).build()?;
    let job = Job::new()?;
    job.run(&executor, &executor.scope("example"))?;
    job.print();
    let tiles = job.tiles.each_ref().map(|count| count.load(Relaxed));
    let (workers, caller) = tiles.split_at(executor.worker_count());
    println!(
        "tiles by the caller: {}; by the workers, who came to help: {workers:?}",
        caller.iter().sum::<u32>()
    );
    let counts = executor.counts();
    println!("woken for it: {} workers; threads parked: {}", counts.wakes, executor.dump().blocked);
    Ok(())
}
