//! Writes the stubs of a file descriptor set: `generate DESCRIPTORS FOLDER`. Run by `make proto`.

use std::{env, error::Error, fs};

use prost::Message;
use prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let descriptors = FileDescriptorSet::decode(&*fs::read(&arguments[1])?)?;
    tonic_prost_build::configure().build_server(false).out_dir(&arguments[2]).compile_fds(descriptors)?;
    Ok(())
}
