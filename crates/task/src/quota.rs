//! How many processors a cgroup's quota leaves, from what the system's files say.
//!
//! Not here: the affinity mask (`topology.rs`), and where files are read: they come as text, so that both versions can be
//! tested anywhere.
//!
//! # Source
//! cgroups(7); the kernel's `admin-guide/cgroup-v2.rst` (`cpu.max`: quota and period, or `max`) and
//! `scheduler/sched-bwc.rst` (`cpu.cfs_quota_us`, −1 for none; `cpu.cfs_period_us`); proc(5) for `mountinfo`.

/// Processors that the quotas of the process's groups, and of all groups above them, allow: whole ones, at least one.
/// `None` without a quota. `read` returns a file's text.
pub(crate) fn processors(read: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let groups = read("/proc/self/cgroup")?;
    let mounts = read("/proc/self/mountinfo")?;
    let quotas = groups.lines().filter_map(|line| {
        // hierarchy:controllers:path
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        match controllers {
            "" => quota_above(&Mount::find(&mounts, "cgroup2", None)?, path, |folder| {
                let text = read(&format!("{folder}/cpu.max"))?;
                let (quota, period) = text.trim().split_once(' ')?;
                divided(quota, period)
            }),
            named if named.split(',').any(|name| name == "cpu") => {
                quota_above(&Mount::find(&mounts, "cgroup", Some("cpu"))?, path, |folder| {
                    let quota = read(&format!("{folder}/cpu.cfs_quota_us"))?;
                    divided(quota.trim(), read(&format!("{folder}/cpu.cfs_period_us"))?.trim())
                })
            }
            _ => None,
        }
    });
    quotas.min()
}

/// The least of the quotas of a group and of those above it, as far as they are mounted.
fn quota_above(mount: &Mount<'_>, path: &str, quota: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    // Inside a container the mount may begin at the group itself.
    let below = if mount.root == "/" { path } else { path.strip_prefix(mount.root)? };
    let mut folder = format!("{}{}", mount.point, below.trim_end_matches('/'));
    let mut least: Option<usize> = None;
    loop {
        least = least.into_iter().chain(quota(&folder)).min();
        if folder.len() <= mount.point.len() {
            return least;
        }
        folder.truncate(folder.rfind('/')?);
    }
}

/// Whole processors, at least one. A quota of `max` or −1 is none.
fn divided(quota: &str, period: &str) -> Option<usize> {
    let (quota, period) = (quota.parse::<usize>().ok()?, period.parse::<usize>().ok()?);
    Some(quota.checked_div(period)?.max(1))
}

/// Where a hierarchy of groups is mounted, and which group is its root there.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
}

impl<'a> Mount<'a> {
    /// The first mount of this file system, with this option of its superblock.
    fn find(mounts: &'a str, kind: &str, option: Option<&str>) -> Option<Mount<'a>> {
        mounts.lines().find_map(|line| {
            // id parent major:minor root point options [fields] - kind source superoptions
            let (mount, system) = line.split_once(" - ")?;
            let mut system = system.split(' ');
            let is_kind = system.next() == Some(kind);
            let options = system.nth(1).unwrap_or_default();
            let has_option = option.is_none_or(|option| options.split(',').any(|own| own == option));
            let mut mount = mount.split(' ').skip(3);
            let found = Mount { root: mount.next()?, point: mount.next()? };
            (is_kind && has_option).then_some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
31 22 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
35 22 0:31 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory
36 22 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct
";

    /// What is found among these files.
    fn check(files: &[(&str, &str)], expected: Option<usize>) {
        let read = |name: &str| {
            let found = files.iter().find(|(own, _)| *own == name).map(|(_, text)| (*text).to_owned());
            found.or_else(|| (name == "/proc/self/mountinfo").then(|| MOUNTS.to_owned()))
        };
        assert_eq!(processors(read), expected, "{files:?}");
    }

    #[test]
    fn version_2() {
        let group = ("/proc/self/cgroup", "0::/user/job\n");
        let own = |text| ("/sys/fs/cgroup/user/job/cpu.max", text);
        check(&[group, own("400000 100000\n")], Some(4));
        check(&[group, own("50000 100000\n")], Some(1));
        check(&[group, own("250000 100000\n")], Some(2));
        check(&[group, own("max 100000\n")], None);
        check(&[group], None);
        // Of the groups above, the least counts, also that of the root of a container.
        check(&[group, own("400000 100000"), ("/sys/fs/cgroup/user/cpu.max", "300000 100000")], Some(3));
        check(&[group, own("max 100000"), ("/sys/fs/cgroup/cpu.max", "200000 100000")], Some(2));
        check(&[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/cpu.max", "800000 100000")], Some(8));
    }

    #[test]
    fn version_1_and_both() {
        let groups = ("/proc/self/cgroup", "12:memory:/x\n4:cpuacct,cpu:/job\n1:name=systemd:/\n0::/job\n");
        let quota = |text| ("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", text);
        let period = ("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "50000\n");
        check(&[groups, quota("150000\n"), period], Some(3));
        check(&[groups, quota("-1\n"), period], None);
        check(&[groups, quota("150000\n")], None);
        check(&[groups, quota("150000\n"), period, ("/sys/fs/cgroup/job/cpu.max", "100000 50000")], Some(2));
    }

    #[test]
    fn a_mount_that_begins_at_the_group() {
        let mounts = "36 22 0:30 /docker/7 /cpu ro - cgroup cgroup rw,cpu,cpuacct\n";
        let files = [
            ("/proc/self/mountinfo", mounts),
            ("/proc/self/cgroup", "4:cpu,cpuacct:/docker/7/a\n"),
            ("/cpu/cpu.cfs_quota_us", "700000"),
            ("/cpu/cpu.cfs_period_us", "100000"),
        ];
        check(&files, Some(7));
        // A group that is not below the mount: nothing is known.
        check(&[files[0], ("/proc/self/cgroup", "4:cpu:/elsewhere\n"), files[2], files[3]], None);
    }

    #[test]
    fn files_that_say_something_else() {
        let group = ("/proc/self/cgroup", "0::/job\n");
        for text in ["", "x y", "1", "100000 0", "-5 100000", "99999999999999999999999 1"] {
            check(&[group, ("/sys/fs/cgroup/job/cpu.max", text)], None);
        }
        for groups in ["", "0", "0:", "::", "nonsense\n"] {
            check(&[("/proc/self/cgroup", groups)], None);
        }
        for mounts in ["", "-", " - ", "a b c - cgroup2", "1 2 3 / - cgroup2 x y"] {
            check(&[group, ("/proc/self/mountinfo", mounts)], None);
        }
    }

    #[test]
    fn this_machine_has_what_the_standard_library_says() {
        let own = processors(|name| std::fs::read_to_string(name).ok());
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert!(own.is_none_or(|own| own >= available), "{own:?} by the quota, {available} available");
    }
}
