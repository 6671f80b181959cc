import CCUDA

/// What the machine knows about its cards beyond what CUDA says: who uses them, how they are, how they are connected.
///
/// It needs no context, takes no memory of a card, and lists cards that CUDA_VISIBLE_DEVICES hides.
///
/// `@unchecked`: the table never changes, and the library's functions may be called from any thread.
public final class NVML: @unchecked Sendable {
    /// The file that was opened.
    public let path: String

    /// The driver's version, such as `550.54.14`.
    public let driverVersion: String

    /// The newest CUDA that the driver supports.
    public let cudaVersion: CUDAVersion?

    let api: UnsafeMutablePointer<ccuda_nvml>

    /// Opens and starts the library.
    ///
    /// - Throws: `.libraryMissing`, `.symbolMissing`, `.libraryCallFailed` (a driver that was updated and not loaded
    ///   again, for one: the kernel's part and this one have different versions then).
    public init(_ search: LibrarySearch = LibrarySearch()) throws(CUDAError) {
        let library = try OpenLibrary(.nvml, search)
        let api = try library.table { ccuda_nvml_load($0, $1) }
        let started = api.pointee.initialize()
        guard started == NVML_SUCCESS else {
            throw .libraryCallFailed(library: .nvml, call: "nvmlInit", result: Self.text(api, started))
        }
        self.api = api
        path = library.path
        driverVersion = Self.text { api.pointee.systemGetDriverVersion($0, $1) } ?? "unknown"
        var version: Int32 = 0
        if let ask = api.pointee.systemGetCudaDriverVersion, ask(&version) == NVML_SUCCESS {
            cudaVersion = CUDAVersion(encoded: version)
        } else {
            cudaVersion = nil
        }
    }

    deinit { _ = api.pointee.shutdown() }

    /// All cards of the machine, in NVML's order, which need not be CUDA's: find one by its UUID.
    ///
    /// - Throws: `.libraryCallFailed` when not even their number, or a card's name, can be read.
    public func cards() throws(CUDAError) -> [NVMLCard] {
        var count: UInt32 = 0
        try check(api.pointee.deviceGetCount(&count), "nvmlDeviceGetCount")
        var cards: [NVMLCard] = []
        for index in 0..<count {
            var handle: nvmlDevice_t?
            try check(api.pointee.deviceGetHandleByIndex(index, &handle), "nvmlDeviceGetHandleByIndex(\(index))")
            cards.append(try NVMLCard(self, handle, index: Int(index)))
        }
        return cards
    }

    /// How two cards are connected.
    public func connection(_ first: NVMLCard, _ second: NVMLCard) -> NVMLConnection {
        NVMLConnection(self, first, second)
    }

    /// Throws what a result means.
    func check(_ result: nvmlReturn_t, _ call: String) throws(CUDAError) {
        guard result != NVML_SUCCESS else { return }
        throw .libraryCallFailed(library: .nvml, call: call, result: Self.text(api, result))
    }

    private static func text(_ api: UnsafeMutablePointer<ccuda_nvml>, _ result: nvmlReturn_t) -> String {
        let said = api.pointee.errorString(result).map { String(cString: $0) } ?? "unknown"
        return "\(said) (\(result.rawValue))"
    }

    /// A text that the library writes; nil when it cannot.
    static func text(_ ask: (UnsafeMutablePointer<CChar>?, UInt32) -> nvmlReturn_t) -> String? {
        var characters = [CChar](repeating: 0, count: 128)
        return ask(&characters, 128) == NVML_SUCCESS ? String(terminated: characters) : nil
    }
}
