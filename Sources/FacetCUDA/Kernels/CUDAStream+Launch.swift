import CCUDA

extension CUDAStream {
    /// Enqueues a kernel.
    ///
    /// - Parameter parameters: as the kernel takes them, in order; copied before this returns.
    /// - Throws: `.invalidLaunch`, `.contextLost`, `.callFailed`.
    public func launch<each Parameter: KernelParameter>(
        _ kernel: CUDAKernel, _ shape: LaunchShape, _ parameters: repeat each Parameter
    ) throws(CUDAError) {
        guard kernel.context === context else {
            throw .invalidArgument(
                call: kernel.name, argument: "stream", expected: "of \(kernel.context.device)",
                got: "of \(context.device)")
        }
        try shape.check(kernel)
        try launch(kernel, shape, KernelArguments(repeat each parameters))
    }

    private func launch(
        _ kernel: CUDAKernel, _ shape: LaunchShape, _ arguments: KernelArguments
    ) throws(CUDAError) {
        var early = CUlaunchAttribute()
        early.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
        early.value.programmaticStreamSerializationAllowed = 1
        let startsEarly = shape.startsEarly && context.info.capability.hasProgrammaticLaunch
        try context.call("cuLaunchKernelEx") { api in
            withUnsafeMutablePointer(to: &early) { attributes in
                var config = CUlaunchConfig(
                    gridDimX: UInt32(shape.grid.x), gridDimY: UInt32(shape.grid.y), gridDimZ: UInt32(shape.grid.z),
                    blockDimX: UInt32(shape.block.x), blockDimY: UInt32(shape.block.y),
                    blockDimZ: UInt32(shape.block.z), sharedMemBytes: UInt32(shape.sharedByteCount), hStream: handle,
                    attrs: startsEarly ? attributes : nil, numAttrs: startsEarly ? 1 : 0)
                return arguments.withPointers { api.pointee.launchKernelEx(&config, kernel.function, $0, nil) }
            }
        }
    }
}
