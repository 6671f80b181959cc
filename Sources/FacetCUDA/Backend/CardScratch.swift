/// What a card's operations need for themselves, taken once beside the budget.
final class CardScratch {
    /// For cuBLASLt: what NVIDIA recommends for Hopper and newer, and for the rest.
    static func workspaceByteCount(_ capability: ComputeCapability) -> Int {
        (capability.major >= 9 ? 32 : 4) << 20
    }

    /// Parts of split attention: enough for two blocks on each of 200 multiprocessors.
    static let partByteCount = 8 << 20

    /// Makes up for what an arena takes beyond what is asked for: 256 bytes for each of 4,096 tensors.
    static let roundingByteCount = 1 << 20

    /// Bytes that an arena must have beside its budget.
    static func reserveByteCount(_ capability: ComputeCapability) -> Int {
        workspaceByteCount(capability) + partByteCount + roundingByteCount
    }

    /// Memory of cuBLASLt's products while they run.
    let workspace: DeviceBuffer

    /// What the splits of decoding attention leave for each other: float32.
    let parts: DeviceBuffer

    /// One int32 that kernels set.
    let flag: DeviceBuffer

    init(_ arena: DeviceArena) throws(CUDAError) {
        let byteCount = Self.workspaceByteCount(arena.context.info.capability)
        workspace = try arena.allocate(byteCount, label: "workspace of products", countedByteCount: 0)
        parts = try arena.allocate(Self.partByteCount, label: "parts of split attention", countedByteCount: 0)
        flag = try arena.allocate(4, label: "flag", countedByteCount: 0)
    }
}
