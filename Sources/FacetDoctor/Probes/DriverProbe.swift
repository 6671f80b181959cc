#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads what the system shows of the NVIDIA driver and of the cards on the PCI bus; opens no device.
public struct DriverProbe: Sendable {
    private let roots: SystemRoots

    /// Looks below these places.
    public init(_ roots: SystemRoots = .standard) { self.roots = roots }

    /// The facts, the library aside.
    public func facts() -> DriverFacts {
        var facts = DriverFacts()
        let banner = SystemFile.text("\(roots.proc)/driver/nvidia/version")
        facts.moduleVersion =
            banner.flatMap(Self.moduleVersion) ?? SystemFile.text("\(roots.sys)/module/nvidia/version")
        facts.isOpenModule = banner.map { $0.contains("Open Kernel Module") }
        facts.deviceFiles = deviceFiles()
        facts.pciCards = pciCards()
        facts.isWindowsSubsystem = SystemFile.exists("\(roots.dev)/dxg")
        facts.hasAddressTranslation = SystemFile.names("\(roots.sys)/kernel/iommu_groups").map { !$0.isEmpty }
        facts.faults = faults()
        return facts
    }

    /// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb …`: the first word that begins with a digit.
    private static func moduleVersion(_ banner: String) -> String? {
        guard let line = banner.split(separator: "\n").first(where: { $0.hasPrefix("NVRM version") }) else {
            return nil
        }
        let words = line.split(separator: " ")
        return words.first { $0.contains(".") && $0.first.map { ("0"..."9").contains($0) } == true }.map(String.init)
    }

    private func deviceFiles() -> [DeviceFile]? {
        SystemFile.names(roots.dev)?.filter { $0.hasPrefix("nvidia") && $0 != "nvidia-caps" }.map { name in
            DeviceFile(name: name, isAccessible: access("\(roots.dev)/\(name)", R_OK | W_OK) == 0)
        }
    }

    private func pciCards() -> [PCICard]? {
        let folder = "\(roots.sys)/bus/pci/devices"
        return SystemFile.names(folder)?.compactMap { address in
            pciCard("\(folder)/\(address)", address)
        }
    }

    /// The card of a folder; nil when it is no NVIDIA card with a display or 3D controller.
    private func pciCard(_ folder: String, _ address: String) -> PCICard? {
        guard SystemFile.text("\(folder)/vendor") == "0x10de", let kind = SystemFile.text("\(folder)/class"),
            kind.hasPrefix("0x0300") || kind.hasPrefix("0x0302")
        else { return nil }
        var card = PCICard(address: address)
        card.model = SystemFile.text("\(folder)/device")
        card.driver = SystemFile.linkTarget("\(folder)/driver")
        card.memoryNode = SystemFile.integer("\(folder)/numa_node")
        card.windowBytes = SystemFile.text("\(folder)/resource").flatMap(Self.largestWindow)
        var link = LinkFacts()
        link.width = SystemFile.integer("\(folder)/current_link_width")
        link.maxWidth = SystemFile.integer("\(folder)/max_link_width")
        link.generation = SystemFile.text("\(folder)/current_link_speed").flatMap(Self.generation)
        link.maxGeneration = SystemFile.text("\(folder)/max_link_speed").flatMap(Self.generation)
        card.link = link
        if let table = SystemFile.text("\(roots.proc)/driver/nvidia/gpus/\(address)/information") {
            card.name = SystemTable.value("Model", in: table)
            // A card that the driver has not set up yet has a UUID of question marks.
            card.uuid = SystemTable.value("GPU UUID", in: table).flatMap { $0.contains("?") ? nil : $0 }
        }
        return card
    }

    /// `16.0 GT/s PCIe` as a generation.
    private static func generation(_ speed: String) -> Int? {
        guard let rate = speed.split(separator: " ").first.flatMap({ Double($0) }) else { return nil }
        return [2.5: 1, 5: 2, 8: 3, 16: 4, 32: 5, 64: 6][rate]
    }

    /// The largest of the windows, one a line as `start end flags` in hexadecimal.
    private static func largestWindow(_ table: String) -> Int? {
        table.split(separator: "\n").compactMap { line -> Int? in
            let numbers = line.split(separator: " ").compactMap { Int($0.dropFirst(2), radix: 16) }
            guard numbers.count == 3, numbers[1] > numbers[0] else { return nil }
            return numbers[1] - numbers[0] + 1
        }.max()
    }

    /// `6,1234,98765,-;NVRM: Xid (PCI:0000:65:00): 79, …` in the kernel's log, each kind once per card.
    private func faults() -> [FaultFacts]? {
        guard let log = SystemFile.text("\(roots.dev)/kmsg", limit: 4 << 20) else { return nil }
        var faults: [FaultFacts] = []
        for line in log.split(separator: "\n") {
            guard let semicolon = line.utf8.firstIndex(of: UInt8(ascii: ";")) else { continue }
            let message = line[semicolon...].dropFirst()
            guard message.hasPrefix(Self.faultPrefix), let fault = Self.fault(message) else { continue }
            if !faults.contains(fault) { faults.append(fault) }
        }
        return faults
    }

    private static func fault(_ message: Substring) -> FaultFacts? {
        let fields = message.dropFirst(faultPrefix.count).split(separator: ")", maxSplits: 1)
        guard fields.count == 2 else { return nil }
        let digits = fields[1].drop { $0 == ":" || $0 == " " }.prefix { ("0"..."9").contains($0) }
        return Int(digits).map { FaultFacts(address: String(fields[0]), code: $0) }
    }

    private static let faultPrefix = "NVRM: Xid (PCI:"
}
