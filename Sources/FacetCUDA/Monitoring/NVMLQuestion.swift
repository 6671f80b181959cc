import CCUDA

/// One card of which something is asked; every answer may be missing.
struct NVMLQuestion {
    let api: UnsafeMutablePointer<ccuda_nvml>
    let device: nvmlDevice_t?

    typealias Ask<Value> = (nvmlDevice_t?, UnsafeMutablePointer<Value>?) -> nvmlReturn_t

    /// The answer of a function; nil when the driver lacks it or the card cannot say.
    func value<Value>(_ ask: Ask<Value>?, _ empty: Value) -> Value? {
        guard let ask else { return nil }
        var value = empty
        return ask(device, &value) == NVML_SUCCESS ? value : nil
    }

    /// A number.
    func number(_ ask: Ask<UInt32>?) -> Int? { value(ask, 0).map(Int.init) }

    /// Whether something is on.
    func isOn(_ ask: Ask<nvmlEnableState_t>?) -> Bool? {
        value(ask, NVML_FEATURE_DISABLED).map { $0 == NVML_FEATURE_ENABLED }
    }

    /// The processes that one of the two lists names; the list is asked for again while it grows.
    func processes(
        _ ask: (
            @convention(c) (nvmlDevice_t?, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<nvmlProcessInfo_t>?) ->
                nvmlReturn_t
        )?
    ) -> [NVMLCard.Process]? {
        guard let ask else { return nil }
        var room: UInt32 = 16
        for _ in 0..<8 {
            var list = [nvmlProcessInfo_t](repeating: nvmlProcessInfo_t(), count: Int(room))
            var count = room
            let result = ask(device, &count, &list)
            if result == NVML_ERROR_INSUFFICIENT_SIZE {
                room = max(count, room) * 2
                continue
            }
            guard result == NVML_SUCCESS else { return nil }
            return list.prefix(Int(count)).map { info in
                // All bits set: the driver does not tell this process's memory to this user.
                let isKnown = info.usedGpuMemory != .max
                return NVMLCard.Process(
                    id: Int(info.pid), memoryByteCount: isKnown ? Int(info.usedGpuMemory) : nil)
            }
        }
        return nil
    }

    /// Corrected or uncorrected memory errors since the driver was loaded, or over the card's life.
    func errorCount(_ type: nvmlMemoryErrorType_t, _ counter: nvmlEccCounterType_t) -> Int? {
        var count: UInt64 = 0
        guard let ask = api.pointee.deviceGetTotalEccErrors, ask(device, type, counter, &count) == NVML_SUCCESS else {
            return nil
        }
        return Int(clamping: count)
    }

    /// The links of NVLink, in order; nil for one that cannot be read, and nothing behind the last.
    func nvLinks() -> [NVMLCard.NVLink] {
        guard let state = api.pointee.deviceGetNvLinkState else { return [] }
        var links: [NVMLCard.NVLink] = []
        for index in 0..<UInt32(36) {
            var isActive = NVML_FEATURE_DISABLED
            guard state(device, index, &isActive) == NVML_SUCCESS else { continue }
            var version: UInt32 = 0
            var remote = nvmlPciInfo_t()
            let hasVersion = api.pointee.deviceGetNvLinkVersion.map { $0(device, index, &version) } == NVML_SUCCESS
            let hasRemote =
                api.pointee.deviceGetNvLinkRemotePciInfo.map { $0(device, index, &remote) } == NVML_SUCCESS
            links.append(
                NVMLCard.NVLink(
                    index: Int(index), isActive: isActive == NVML_FEATURE_ENABLED,
                    version: hasVersion ? Int(version) : nil, remotePCIID: hasRemote ? Self.busID(remote) : nil))
        }
        return links
    }

    /// The bus id of a device.
    static func busID(_ info: nvmlPciInfo_t) -> String {
        withUnsafeBytes(of: info.busId) { String(terminated: $0.map { CChar(bitPattern: $0) }) }
    }
}
