//! Where the system refuses to make filled memory executable, the image is mapped from a file in memory instead.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod support;

use raddle_executable::{Dispatch, Library, Worker};
use support::{Aligned, kernel, options};

const PR_SET_MDWE: i32 = 65;
const PR_MDWE_REFUSE_EXEC_GAIN: u64 = 1;

// The only test of this file: what it does to its process can't be undone.
#[test]
fn an_image_is_loaded_without_making_memory_executable() {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0_u64, 0_u64, 0_u64) };
    if result != 0 {
        println!("not checked: this kernel can't refuse (PR_SET_MDWE, since Linux 6.3)");
        return;
    }
    let library = Library::load("embedded-elf-x86_64", &kernel("denormal.so"), &[], &options()).unwrap();
    let (mut x, mut y) = (Aligned([1.0_f32, 2.0, 3.0, 1e-40]), Aligned([f32::NAN; 4]));
    let bindings = [x.pointer(), y.pointer()];
    let dispatch = Dispatch {
        grid: [1; 3],
        workgroup_size: [1; 3],
        constants: &[],
        bindings: &bindings,
        lengths: &[16, 16],
        concurrency: 1,
    };
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..1, Worker { processor: 0, local_memory: &mut [] }) }.unwrap();
    assert_eq!(y.0, [2.0, 4.0, 6.0, 0.0]);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ours: Vec<&str> = maps.lines().filter(|line| line.contains("raddle-executable")).collect();
    assert!(ours.iter().any(|line| line.contains(" r-xp ")), "{ours:#?}");
    assert!(!maps.contains(" rwxp "), "{maps}");
}
