//! The program `mxseal`: hands the command line to [`mxseal::cli`], and its exit code back.

fn main() -> std::process::ExitCode {
    mxseal::cli::main()
}
