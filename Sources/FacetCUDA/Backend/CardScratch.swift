/// What a card's operations need for themselves, taken once beside the budget.
final class CardScratch {
    /// For cuBLASLt: what NVIDIA recommends for Hopper and newer, and for the rest.
    static func workspaceByteCount(_ capability: ComputeCapability) -> Int {
        (capability.major >= 9 ? 32 : 4) << 20
    }

    /// Parts of split attention, enough for two blocks on each of 200 multiprocessors; between passes, the largest
    /// logits on their way to the host.
    static let partByteCount = 8 << 20

    /// Makes up for what an arena takes beyond what is asked for: 256 bytes for each of 4,096 tensors.
    static let roundingByteCount = 1 << 20

    /// Rows as 8-bit codes, and the sums of their products: many rows at a time, but little of the card's memory.
    static func codeByteCount(_ info: CUDADevice) -> Int {
        info.capability.hasFloat8 ? min(64 << 20, info.memoryByteCount / 256) / 256 * 256 : 0
    }

    /// Bytes that an arena must have beside its budget.
    static func reserveByteCount(_ info: CUDADevice) -> Int {
        workspaceByteCount(info.capability) + partByteCount + codeByteCount(info) + roundingByteCount
    }

    /// Memory of cuBLASLt's products while they run.
    let workspace: DeviceBuffer

    /// What the splits of decoding attention leave for each other, and the last kernel of a pass for the host.
    let parts: DeviceBuffer

    /// Rows as codes, their scales and sums, while a product of codes runs; nil where the card multiplies none.
    let codes: DeviceBuffer?

    /// One int32 that kernels set.
    let flag: DeviceBuffer

    init(_ arena: DeviceArena) throws(CUDAError) {
        let info = arena.context.info
        let byteCount = Self.workspaceByteCount(info.capability)
        workspace = try arena.allocate(byteCount, label: "workspace of products", countedByteCount: 0)
        parts = try arena.allocate(Self.partByteCount, label: "parts of split attention", countedByteCount: 0)
        codes =
            info.capability.hasFloat8
            ? try arena.allocate(Self.codeByteCount(info), label: "rows as codes", countedByteCount: 0) : nil
        flag = try arena.allocate(4, label: "flag", countedByteCount: 0)
    }
}
