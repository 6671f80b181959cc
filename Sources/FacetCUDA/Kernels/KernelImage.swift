import CCUDA
import Synchronization

/// Compiled kernels, loaded once for all cards of their architecture.
///
/// Every kernel is to be looked up while the program starts: the driver loads code when it is first asked for, and
/// loading beside running kernels may wait for them.
///
/// `@unchecked`: the handle never changes, and the driver's calls may come from any thread.
public final class KernelImage: @unchecked Sendable {
    /// What errors call the image.
    public let name: String

    private let driver: CUDADriver
    private let handle: CUlibrary

    /// Loads code.
    ///
    /// - Parameters:
    ///   - context: any card that the code is for; the others may use it too.
    ///   - bytes: a cubin, as the compiler made it.
    /// - Throws: `.callFailed`, for code of another architecture or of a newer toolkit than the driver knows.
    public init(_ context: CUDAContext, _ bytes: [UInt8], name: String) throws(CUDAError) {
        var handle: CUlibrary?
        try context.call("cuLibraryLoadData") { api in
            bytes.withUnsafeBytes { api.pointee.libraryLoadData(&handle, $0.baseAddress, nil, nil, 0, nil, nil, 0) }
        }
        guard let handle else {
            throw .callFailed(
                device: context.device, call: "cuLibraryLoadData", result: "no library", reason: "the driver is faulty")
        }
        self.name = name
        self.handle = handle
        driver = context.driver
    }

    deinit { _ = driver.api.pointee.libraryUnload(handle) }

    /// How many kernels the image holds; nil where the driver cannot say.
    public func kernelCount() throws(CUDAError) -> Int? {
        guard let ask = driver.api.pointee.libraryGetKernelCount else { return nil }
        var count: UInt32 = 0
        try driver.check(ask(&count, handle), "cuLibraryGetKernelCount")
        return Int(count)
    }

    /// Looks a kernel up and loads it onto a card.
    ///
    /// - Parameters:
    ///   - parameterByteCounts: what the caller will pass; compared with what the code takes where the driver can say
    ///     (12.4 and newer). Nil to believe the caller.
    /// - Throws: `.kernelMissing`, `.parameterMismatch`.
    public func kernel(
        _ name: String, on context: CUDAContext, parameterByteCounts: [Int]? = nil
    ) throws(CUDAError) -> CUDAKernel {
        var kernel: CUkernel?
        let found = try context.query("cuLibraryGetKernel") { $0.pointee.libraryGetKernel(&kernel, handle, name) }
        if found == CUDA_ERROR_NOT_FOUND { throw .kernelMissing(kernel: name, image: self.name) }
        try context.check(found, "cuLibraryGetKernel")
        var function: CUfunction?
        try context.call("cuKernelGetFunction") { $0.pointee.kernelGetFunction(&function, kernel) }
        guard let function else { throw .kernelMissing(kernel: name, image: self.name) }
        if let load = driver.api.pointee.funcLoad { try context.call("cuFuncLoad") { _ in load(function) } }
        let resolved = try CUDAKernel(name, function, image: self, context)
        if let expected = parameterByteCounts { try resolved.compare(parameterByteCounts: expected) }
        return resolved
    }
}

/// A kernel on one card, ready to be launched.
///
/// `@unchecked`: the handle never changes; the shared memory limit is raised under the lock.
public final class CUDAKernel: @unchecked Sendable {
    /// As the code exports it.
    public let name: String

    /// The card.
    public let context: CUDAContext

    /// Most threads of a block.
    public let threadLimit: Int

    /// Registers of a thread.
    public let registerCount: Int

    /// Bytes that a thread keeps in memory because registers did not do; 0 in a good kernel.
    public let localByteCount: Int

    /// Shared memory that the code itself has in every block.
    public let staticSharedByteCount: Int

    let function: CUfunction
    private let image: KernelImage
    private let dynamicLimit: Mutex<Int>

    init(
        _ name: String, _ function: CUfunction, image: KernelImage, _ context: CUDAContext
    ) throws(CUDAError) {
        func attribute(_ attribute: CUfunction_attribute) throws(CUDAError) -> Int {
            var value: Int32 = 0
            try context.call("cuFuncGetAttribute") { $0.pointee.funcGetAttribute(&value, attribute, function) }
            return Int(value)
        }
        threadLimit = try attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        registerCount = try attribute(CU_FUNC_ATTRIBUTE_NUM_REGS)
        localByteCount = try attribute(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
        staticSharedByteCount = try attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
        self.name = name
        self.function = function
        self.image = image
        self.context = context
        dynamicLimit = Mutex(max(0, context.info.defaultSharedMemory - staticSharedByteCount))
    }

    /// Blocks of this size that run on one multiprocessor at the same time.
    public func residentBlockCount(threads: Int, sharedByteCount: Int) throws(CUDAError) -> Int {
        var count: Int32 = 0
        try context.call("cuOccupancyMaxActiveBlocksPerMultiprocessor") {
            $0.pointee.occupancyMaxActiveBlocks(&count, function, Int32(threads), sharedByteCount)
        }
        return Int(count)
    }

    /// Lets blocks have so much dynamic shared memory, as the driver wants to be told beyond 48 KiB.
    ///
    /// - Throws: `.invalidLaunch` beyond what the card has.
    public func allowShared(byteCount: Int) throws(CUDAError) {
        guard byteCount > dynamicLimit.withLock({ $0 }) else { return }
        let limit = context.info.sharedMemoryLimit - staticSharedByteCount
        guard byteCount <= limit else {
            throw .invalidLaunch(kernel: name, what: "dynamic shared memory", limit: limit, got: byteCount)
        }
        try context.call("cuFuncSetAttribute") {
            $0.pointee.funcSetAttribute(
                function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, Int32(byteCount))
        }
        dynamicLimit.withLock { $0 = max($0, byteCount) }
    }

    /// Compares the sizes of the parameters with those of the code, where the driver can say them.
    func compare(parameterByteCounts expected: [Int]) throws(CUDAError) {
        guard let ask = context.driver.api.pointee.funcGetParamInfo else { return }
        var sizes: [Int] = []
        while true {
            var offset = 0
            var byteCount = 0
            // The call that goes beyond the last parameter is refused: that is how their number is found.
            let result = try context.query("cuFuncGetParamInfo") { _ in ask(function, sizes.count, &offset, &byteCount)
            }
            if result == CUDA_ERROR_INVALID_VALUE { break }
            try context.check(result, "cuFuncGetParamInfo")
            sizes.append(byteCount)
        }
        if sizes != expected { throw .parameterMismatch(kernel: name, expected: sizes, got: expected) }
    }
}
