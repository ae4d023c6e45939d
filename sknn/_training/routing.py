"""Metadata routing: groups of the rows for the splitter that draws the validation rows."""

from sklearn.utils.metadata_routing import get_routing_for_object

from .._validation.parameters import stops_early


class GroupRoutingMixin:
    """Mixin for estimators whose ``validation_fraction`` may be a splitter that needs groups."""

    __metadata_request__fit = {"groups": False}  # scikit-learn's networks know no groups

    def get_metadata_routing(self):
        """Return which metadata the methods request, for scikit-learn's metadata routing.

        ``fit`` requests groups if the splitter in ``validation_fraction`` requests them.

        Returns
        -------
        routing : MetadataRequest
            The metadata that each method requests.
        """
        routing = super().get_metadata_routing()
        if stops_early(self, None) and hasattr(self.validation_fraction, "split"):
            splitter = get_routing_for_object(self.validation_fraction)
            alias = splitter.split.requests.get("groups")
            if alias and not routing.fit.requests.get("groups"):
                routing.fit.add_request(param="groups", alias=alias)
        return routing
