//! The system calls that the process and its workers do without, as filters of seccomp.
//!
//! What ends the process is an attack in any case; what a later version of a library may try is refused instead, or
//! allowed. It must never refuse what everyday work needs.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// Binds the calling thread and those that it starts.
///
/// # Errors
/// In words, why the kernel took no filter.
pub(super) fn bind_process() -> Result<(), String> {
    // Those that refuse come first: a call that kills is never refused instead, since the kernel takes the strictest
    // verdict of all filters.
    let all = [
        filter(rules(&UNKNOWN), SeccompAction::Errno(ENOSYS)),
        refused_arguments().and_then(|rules| filter(rules, SeccompAction::Errno(EPERM))),
        killed_rules().and_then(|rules| filter(rules, SeccompAction::KillProcess)),
    ];
    all.into_iter().try_for_each(|program| install(&program?))
}

/// Narrows the calling thread further.
///
/// # Errors
/// As [`bind_process`].
pub(super) fn bind_worker() -> Result<(), String> {
    filter(rules(&worker_calls()), SeccompAction::Errno(EPERM)).and_then(|program| install(&program))
}

/// Calls and on which arguments a filter acts; an empty list of rules stands for all.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn filter(rules: Rules, action: SeccompAction) -> Result<BpfProgram, String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| "no filter for this kind of processor".to_owned())?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).map_err(|fault| fault.to_string())?;
    filter.try_into().map_err(|fault: seccompiler::BackendError| fault.to_string())
}

fn rules(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// A rule over the first argument of a call: all of these comparisons hold.
fn first_argument(comparisons: &[(SeccompCmpOp, u64)]) -> Result<SeccompRule, String> {
    let condition = |(operator, value): &(SeccompCmpOp, u64)| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator.clone(), *value)
    };
    let conditions: Result<Vec<_>, _> = comparisons.iter().map(condition).collect();
    conditions.and_then(SeccompRule::new).map_err(|fault| fault.to_string())
}

/// What ends the process: the calls of [`KILLED`], and a thread or process in name spaces of its own, where it would be root.
fn killed_rules() -> Result<Rules, String> {
    let mut all = rules(&killed_calls());
    for call in with_own_numbers(libc::SYS_clone) {
        let of = |flag: libc::c_int| {
            let flag = u64::from(flag.unsigned_abs());
            first_argument(&[(SeccompCmpOp::MaskedEq(flag), flag)])
        };
        all.insert(call, NAME_SPACES.into_iter().map(of).collect::<Result<_, _>>()?);
    }
    Ok(all)
}

/// Sockets other than of IP and of files (netlink, raw packets and what else a kernel has), and making the process
/// readable for others again.
fn refused_arguments() -> Result<Rules, String> {
    let family = |family: libc::c_int| (SeccompCmpOp::Ne, u64::from(family.unsigned_abs()));
    let other_family = [family(libc::AF_UNIX), family(libc::AF_INET), family(libc::AF_INET6)];
    let dumpable = [(SeccompCmpOp::Eq, u64::from(libc::PR_SET_DUMPABLE.unsigned_abs()))];
    let mut all = Rules::new();
    for call in with_own_numbers(libc::SYS_socket) {
        all.insert(call, vec![first_argument(&other_family)?]);
    }
    for call in with_own_numbers(libc::SYS_prctl) {
        all.insert(call, vec![first_argument(&dumpable)?]);
    }
    Ok(all)
}

fn install(program: &BpfProgram) -> Result<(), String> {
    seccompiler::apply_filter(program).map_err(|fault| fault.to_string())
}

/// errno(3), as the filters give it back.
const EPERM: u32 = libc::EPERM.unsigned_abs();
/// errno(3): as from a kernel that has not got the call, so that a library falls back.
const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();

/// Calls that a server of DNS never makes: an attempt is an attack, and ends the process. All others are allowed, since
/// a call that a new C library starts to use must not become an outage.
const KILLED: &[i64] = &[
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    // File systems and name spaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_mknodat,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
];
/// io_uring opens files and sockets without the calls that filters see, and clone3 has its flags where no filter sees
/// them; libraries fall back when these are not there.
const UNKNOWN: [i64; 4] =
    [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_clone3];
/// Flags of clone that make name spaces; as `unshare`, which ends the process too.
const NAME_SPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
/// What a worker must not do: it has its sockets already.
const WORKER: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_connect,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_inotify_init1,
    libc::SYS_fanotify_init,
    libc::SYS_pidfd_getfd,
];

/// Numbers of the x32 interface are those of x86_64 with this bit set; the same kernel may offer both.
#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;
/// Calls that x32 numbers anew: execve, ptrace, kexec_load, process_vm_readv, process_vm_writev, execveat.
#[cfg(target_arch = "x86_64")]
const X32_OWN: [i64; 6] = [520, 521, 528, 539, 540, 545];

#[cfg(target_arch = "x86_64")]
fn killed_calls() -> Vec<i64> {
    const OLD: [i64; 4] = [libc::SYS_mknod, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_uselib];
    with_x32(KILLED.iter().chain(&OLD).copied().collect(), &X32_OWN)
}

#[cfg(target_arch = "x86_64")]
fn worker_calls() -> Vec<i64> {
    const OLD: [i64; 14] = [
        libc::SYS_mkdir,
        libc::SYS_rmdir,
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_lchown,
        libc::SYS_utimes,
        libc::SYS_inotify_init,
        libc::SYS_open,
        libc::SYS_creat,
        libc::SYS_unlink,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_link,
        libc::SYS_symlink,
    ];
    with_x32(WORKER.iter().chain(&OLD).copied().collect(), &[])
}

#[cfg(target_arch = "x86_64")]
fn with_x32(calls: Vec<i64>, own: &[i64]) -> Vec<i64> {
    let x32: Vec<i64> = calls.iter().chain(own).map(|call| call | X32_BIT).collect();
    calls.into_iter().chain(x32).collect()
}

/// A call under each number that the kernel may know it by.
#[cfg(target_arch = "x86_64")]
fn with_own_numbers(call: i64) -> [i64; 2] {
    [call, call | X32_BIT]
}

#[cfg(not(target_arch = "x86_64"))]
fn with_own_numbers(call: i64) -> [i64; 1] {
    [call]
}

#[cfg(not(target_arch = "x86_64"))]
fn killed_calls() -> Vec<i64> {
    KILLED.to_vec()
}

#[cfg(not(target_arch = "x86_64"))]
fn worker_calls() -> Vec<i64> {
    WORKER.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everyday_work_needs_is_in_no_filter() {
        let needed = [libc::SYS_recvmmsg, libc::SYS_sendmmsg, libc::SYS_accept4, libc::SYS_futex, libc::SYS_getrandom];
        for call in needed {
            assert!(!killed_calls().contains(&call) && !worker_calls().contains(&call), "{call}");
        }
        let control = [libc::SYS_openat, libc::SYS_connect, libc::SYS_renameat2, libc::SYS_fsync, libc::SYS_clone];
        assert!(control.iter().all(|call| !killed_calls().contains(call)));
    }

    #[test]
    fn the_filters_fit_the_kernels_limit() {
        // BPF_MAXINSNS of linux/bpf_common.h.
        for rules in [killed_rules(), refused_arguments(), Ok(rules(&worker_calls()))] {
            let program = rules.and_then(|rules| filter(rules, SeccompAction::Trap));
            assert!(program.is_ok_and(|program| program.len() < 4096));
        }
    }
}
