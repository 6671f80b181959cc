/// How many threads run a kernel, and what they share.
public struct LaunchShape: Sendable, Hashable {
    /// Blocks.
    public var grid: Dimensions

    /// Threads of a block.
    public var block: Dimensions

    /// Dynamic shared memory of a block, in bytes.
    public var sharedByteCount: Int

    /// Whether the kernel may start before the one ahead of it in the stream has ended; the kernel then waits itself.
    ///
    /// Without effect on cards that cannot.
    public var startsEarly: Bool

    /// Describes a launch.
    public init(grid: Dimensions, block: Dimensions, sharedByteCount: Int = 0, startsEarly: Bool = false) {
        self.grid = grid
        self.block = block
        self.sharedByteCount = sharedByteCount
        self.startsEarly = startsEarly
    }

    /// Checks the shape against a kernel and its card.
    ///
    /// - Throws: `.invalidLaunch` with what is too much.
    func check(_ kernel: CUDAKernel) throws(CUDAError) {
        let limits = kernel.context.info.gridLimit
        let facts = [
            ("grid x", limits.x, grid.x), ("grid y", limits.y, grid.y), ("grid z", limits.z, grid.z),
            ("threads of a block", kernel.threadLimit, block.count),
        ]
        for (what, limit, got) in facts where got < 1 || got > limit {
            throw .invalidLaunch(kernel: kernel.name, what: what, limit: limit, got: got)
        }
        try kernel.allowShared(byteCount: sharedByteCount)
    }
}
